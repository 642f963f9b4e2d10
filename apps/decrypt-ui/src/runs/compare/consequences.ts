import type { Difference } from './value-differences.ts';

/** A value in the first run's input, and the value that replaces it in the second run's input. */
export interface Substitution {
  readonly left: string;
  readonly right: string;
}

/**
 * Minimum length of a substitution's values. Shorter values, such as a flag or a digit, occur everywhere, so the same
 * change elsewhere may be a coincidence.
 */
const LEAST = 3;

/**
 * Returns the differences between two runs' inputs that can be recognised elsewhere in the runs, longest
 * first.
 */
export function substitutionsOf(differences: readonly Difference[]): Substitution[] {
  const found = new Map<string, Substitution>();
  for (const { left, right } of differences) {
    if (left === undefined || right === undefined || left.length < LEAST || right.length < LEAST) continue;
    if (!found.has(left)) found.set(left, { left, right });
  }
  return [...found.values()].toSorted((a, b) => b.left.length - a.left.length);
}

/**
 * Returns the indexes of the substitutions that explain a difference: applying them to the first run's text yields the
 * second run's. Returns undefined if the substitutions do not explain the difference.
 */
export function causesOf(
  { left, right }: Difference,
  substitutions: readonly Substitution[],
): number[] | undefined {
  if (left === undefined || right === undefined) return undefined;
  const causes: number[] = [];
  let text = left;
  for (const [index, substitution] of substitutions.entries()) {
    // Replaces only whole numbers: 12 must not match in 120.
    const isWhole = /^-?[\d.]+$/.test(substitution.left);
    const next = isWhole
      ? text === substitution.left
        ? substitution.right
        : replaceNumber(text, substitution)
      : text.replaceAll(substitution.left, () => substitution.right);
    if (next === text) continue;
    causes.push(index);
    text = next;
  }
  return causes.length > 0 && text === right ? causes : undefined;
}

/** Replaces a number except where it is part of another number or word. */
const replaceNumber = (text: string, { left, right }: Substitution): string =>
  text.replaceAll(new RegExp(`(?<![\\w.])${left.replaceAll('.', '\\.')}(?![\\w.]*\\w)`, 'g'), () => right);

import type { Difference } from './value-differences.ts';

/** A value of the first run's input that is another one in the second run. */
export interface Substitution {
  readonly left: string;
  readonly right: string;
}

/** Shorter values, such as a flag or a digit, occur anywhere, so an equal change elsewhere need not follow from them. */
const LEAST = 3;

/** What the inputs of two runs differ in, as far as it can be recognised elsewhere: the longest first. */
export function substitutionsOf(differences: readonly Difference[]): Substitution[] {
  const found = new Map<string, Substitution>();
  for (const { left, right } of differences) {
    if (left === undefined || right === undefined || left.length < LEAST || right.length < LEAST) continue;
    if (!found.has(left)) found.set(left, { left, right });
  }
  return [...found.values()].toSorted((a, b) => b.left.length - a.left.length);
}

/**
 * The positions of the substitutions from which a difference follows: the first run's text becomes the second run's when they
 * are made in it. Undefined for a difference that does not follow from them.
 */
export function causesOf(
  { left, right }: Difference,
  substitutions: readonly Substitution[],
): number[] | undefined {
  if (left === undefined || right === undefined) return undefined;
  const causes: number[] = [];
  let text = left;
  for (const [index, substitution] of substitutions.entries()) {
    // A number is another number as a whole: 12 in 120 is no consequence.
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

/** Replaces a number where it is not a part of another number or word. */
const replaceNumber = (text: string, { left, right }: Substitution): string =>
  text.replaceAll(new RegExp(`(?<![\\w.])${left.replaceAll('.', '\\.')}(?![\\w.]*\\w)`, 'g'), () => right);

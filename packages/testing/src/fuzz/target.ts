import { existsSync } from 'node:fs';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The exports of a file `NAME.fuzz.ts`. */
export interface FuzzModule {
  /**
   * Processes an input, and returns a short description of the outcome.
   * @throws any error if the code under test violates one of its properties
   */
  readonly fuzz: (data: Uint8Array) => string | Promise<string>;
  /** Returns inputs for a new corpus. */
  readonly seeds: () => Iterable<Uint8Array>;
  /** Outcomes that the corpus must reach. */
  readonly reaches: readonly string[];
}

export interface FuzzTarget {
  readonly name: string;
  /** Path of `NAME.fuzz.ts`. */
  readonly file: string;
}

/** Returns the targets in a folder, by name. */
export async function targetsIn(folder: string): Promise<readonly FuzzTarget[]> {
  const targets: FuzzTarget[] = [];
  for await (const path of glob('*.fuzz.ts', { cwd: folder }))
    targets.push({ name: path.slice(0, -'.fuzz.ts'.length), file: join(folder, path) });
  return targets.toSorted((one, other) => one.name.localeCompare(other.name));
}

export const loadTarget = async ({ file }: FuzzTarget): Promise<FuzzModule> =>
  await import(pathToFileURL(file).href);

/**
 * Returns the path of a target's corpus. A corpus is a text file next to its target, with one input per line,
 * in base64.
 */
const corpusOf = ({ file }: FuzzTarget): string => file.replace(/\.fuzz\.ts$/, '.corpus');

export async function readCorpus(target: FuzzTarget): Promise<Buffer[]> {
  if (!existsSync(corpusOf(target))) return [];
  const lines = (await readFile(corpusOf(target), 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => Buffer.from(line, 'base64'));
}

/** Writes the inputs in an order that keeps the differences between two versions of the file small. */
export async function writeCorpus(target: FuzzTarget, inputs: readonly Uint8Array[]): Promise<void> {
  const sorted = inputs.toSorted((one, other) => one.length - other.length || Buffer.compare(one, other));
  const lines = sorted.map((input) => `${Buffer.from(input).toString('base64')}\n`);
  await writeFile(corpusOf(target), lines.join(''));
}

/**
 * Runs the target with the inputs of its corpus, and returns the required outcomes that no input reached.
 * @throws Error with the first input that violates a property
 */
export async function replay(target: FuzzTarget): Promise<readonly string[]> {
  const { fuzz, reaches } = await loadTarget(target);
  const outcomes = new Set<string>();
  for (const input of await readCorpus(target)) {
    try {
      outcomes.add(await fuzz(input));
    } catch (cause) {
      throw new Error(`${target.name} fails for the input ${input.toString('base64')}`, { cause });
    }
  }
  return reaches.filter((outcome) => !outcomes.has(outcome));
}

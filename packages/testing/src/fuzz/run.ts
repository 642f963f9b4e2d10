import { createHash } from 'node:crypto';
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipInstall } from '@temporal-kms/scripts/pip';
import { devDir, projectRoot } from '@temporal-kms/scripts/project';
import { execa } from 'execa';
import { findPython } from '../python.ts';
import { nodeForJazzer } from './node.ts';
import { type FuzzTarget, loadTarget, readCorpus, targetsIn, writeCorpus } from './target.ts';

const fuzzDir = join(devDir, 'fuzz');
const python = join(projectRoot, 'interop/python');

/** The targets that also exist in Python (`interop/python/tests/fuzz.py`), with the same inputs. */
const inPython: ReadonlySet<string> = new Set(['header', 'keys-file', 'plaintext', 'zstd']);

/** A target in one language. */
export interface FuzzRun {
  /** The target's name, such as `header` or `python/header`. */
  readonly name: string;
  readonly target: FuzzTarget;
}

/** Returns all targets, or only the targets whose names contain one of `texts`. */
export async function fuzzRuns(texts: readonly string[] = []): Promise<readonly FuzzRun[]> {
  const runs: FuzzRun[] = [];
  for await (const folder of glob('{apps,packages}/*/test/fuzz', { cwd: projectRoot }))
    for (const target of await targetsIn(join(projectRoot, folder))) {
      runs.push({ name: target.name, target });
      if (inPython.has(target.name)) runs.push({ name: `python/${target.name}`, target });
    }
  const wanted = runs.filter(({ name }) => texts.length === 0 || texts.some((text) => name.includes(text)));
  return wanted.toSorted((one, other) => one.name.localeCompare(other.name));
}

export interface FuzzResult {
  readonly inputs: number;
  readonly perSecond: number;
  /**
   * libFuzzer's coverage: `edges` counts the control-flow edges that were reached, and `features` counts the
   * pairs of an edge and a range of execution counts.
   */
  readonly edges: number;
  readonly features: number;
  /** The number of inputs in `.dev/fuzz`. Each input reaches code that the other inputs do not reach. */
  readonly corpus: number;
}

/**
 * Fuzzes a target for the given number of seconds. Starts from the target's corpus and from the inputs that
 * earlier runs have added in `.dev/fuzz`.
 * @throws Error with the output and the input, if an input violates a property
 */
export async function fuzz(run: FuzzRun, seconds: number): Promise<FuzzResult> {
  const folder = await inputsOf(run.target);
  const artifacts = `${join(fuzzDir, run.name.replaceAll('/', '-'))}-`;
  const { output, failed } = await libFuzzer(run, [
    `-max_total_time=${seconds}`,
    `-artifact_prefix=${artifacts}`,
    '-print_final_stats=1',
    folder,
  ]);
  if (failed) throw failure(run, output);
  return resultOf(output);
}

/**
 * Returns an error with the output, but leaves out the long tables of addresses and the lines about new
 * inputs.
 */
const failure = ({ name }: FuzzRun, output: string): Error =>
  new Error(`${name} failed:\n${output.replaceAll(/^(.{1000,}|#.*)\n/gm, '').slice(-10_000)}`);

/** @param output ends with, for example, `#4096 DONE cov: 512 ft: 1345 corp: 87/12Kb … exec/s: 512 …` */
function resultOf(output: string): FuzzResult {
  const found = /#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)\/.*exec\/s: (\d+)/.exec(output);
  if (!found) throw new Error(`libFuzzer did not complete:\n${output.slice(-5_000)}`);
  const [inputs = 0, edges = 0, features = 0, corpus = 0, perSecond = 0] = found.slice(1).map(Number);
  return { inputs, perSecond, edges, features, corpus };
}

/**
 * Replaces a target's corpus with the smallest set of inputs in `.dev/fuzz` that reaches the same edges in
 * each language.
 */
export async function updateCorpus(target: FuzzTarget): Promise<number> {
  const { seeds } = await loadTarget(target);
  const folder = await inputsOf(target);
  for (const seed of seeds()) await addInput(folder, seed);
  const minimised = `${folder}-minimised`;
  await rm(minimised, { recursive: true, force: true });
  await mkdir(minimised);
  for (const run of (await fuzzRuns()).filter((one) => one.target.file === target.file)) {
    const { output, failed } = await libFuzzer(run, ['-merge=1', '-use_counters=0', minimised, folder]);
    if (failed) throw failure(run, output);
  }
  const inputs = await Promise.all((await filesIn(minimised)).map((file) => readFile(file)));
  await writeCorpus(target, inputs);
  return inputs.length;
}

/** Adds the target's corpus to its folder in `.dev/fuzz`, and returns this folder. */
async function inputsOf(target: FuzzTarget): Promise<string> {
  const folder = join(fuzzDir, target.name);
  await mkdir(folder, { recursive: true });
  for (const input of await readCorpus(target)) await addInput(folder, input);
  return folder;
}

/** Adds an input under the name that libFuzzer would give it. */
const addInput = (folder: string, input: Uint8Array): Promise<void> =>
  writeFile(join(folder, createHash('sha1').update(input).digest('hex')), input);

async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const name of glob('*', { cwd: folder })) files.push(join(folder, name));
  return files;
}

async function libFuzzer({ name, target }: FuzzRun, args: readonly string[]) {
  const [program, first] = name.startsWith('python/')
    ? [await findPython(), ['tests/fuzz.py', target.name]]
    : [await nodeForJazzer(), [join(import.meta.dirname, 'jazzer.ts'), target.file, '--']];
  const env = name.startsWith('python/') ? { PYTHONPATH: `src:${await atheris()}` } : { FUZZ_NODE: program };
  const options = { cwd: python, env, all: true, reject: false } as const;
  const { all: output, failed } = await execa(program, [...first, ...args], options);
  return { output, failed };
}

/**
 * Returns the folder with Atheris. The first call installs Atheris, which needs CPython 3.11 to 3.13 on
 * Linux.
 */
async function atheris(): Promise<string> {
  const folder = join(devDir, 'atheris-3.0.0');
  if ((await filesIn(folder)).length === 0) {
    await mkdir(dirname(folder), { recursive: true });
    await pipInstall(join(python, 'fuzz-requirements.txt'), folder);
  }
  return folder;
}

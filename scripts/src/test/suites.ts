import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startRun } from '../once-per-run.ts';
import { projectRoot } from '../project.ts';
import { type PackageTask, packagesWith, turbo } from '../turbo.ts';
import { inLanes } from './lanes.ts';
import { checkPromises, withBroken } from './promises.ts';
import { add, lost, none, type Outcome, readFiles, readOutcome, resultsFolder } from './reports.ts';
import { suiteLine, timeLines } from './times.ts';

/**
 * Number of suites that run at the same time. Each suite runs two or three test files at the same time, and
 * these mostly wait.
 */
const LANES = Math.max(3, Math.floor(availableParallelism() / 2));

/**
 * The suites that take minutes. They start first, in this order. The first three run at the same time: only
 * one of them needs a browser, and key-admin mostly waits.
 */
const longest = [
  'e2e',
  'apps/codec-server',
  'apps/key-admin',
  'packages/kms-codec',
  'apps/decrypt-ui',
  'packages/worker-kit',
  'apps/worker',
  'packages/kms-emulator',
  'scripts',
];

/** Whether an argument is an option that selects packages. */
const isFilter = (arg: string): boolean => /^(--filter=|-F$|--filter$|--affected$)/.test(arg);

/** Lets turbo run the tests of every package that `args` select, and prints the outcomes. */
export async function runSuites(args: readonly string[], tools: NodeJS.ProcessEnv): Promise<Outcome> {
  const selected = await packagesWith('test', args);
  const suites = selected.toSorted((one, other) => rankOf(one) - rankOf(other));
  // Removes the reports of earlier runs. Turbo restores the reports of suites that it replays from its cache.
  for (const { directory } of suites)
    await rm(join(projectRoot, directory, resultsFolder), { recursive: true, force: true });
  const all = !args.some(isFilter);
  const others = args.filter((arg, at) => !isFilter(arg) && !/^(-F|--filter)$/.test(args[at - 1] ?? ''));
  let allSucceeded = true;
  const run = async (suite: PackageTask): Promise<void> => {
    const logs = ['--output-logs=new-only', `--log-order=${process.stdout.isTTY ? 'stream' : 'grouped'}`];
    const options = [`--filter=${suite.package}`, ...logs, ...others];
    if ((await turbo(['run', 'test', ...options], tools)) !== 0) allSucceeded = false;
  };
  startRun();
  await inLanes(suites, LANES, run);

  const files = new Map((await Promise.all(suites.map((suite) => readFiles(suite.directory)))).flat());
  for (const line of timeLines(files)) console.log(line);
  let total = none;
  for (const suite of suites) {
    const outcome = (await readOutcome(join(projectRoot, suite.directory))) ?? none;
    const ran = outcome.passed + outcome.failed > 0;
    console.log(
      ran ? suiteLine(suite.package, outcome) : `${suite.package}: ran no test; counted as 1 failed`,
    );
    total = add(total, ran ? outcome : lost);
  }
  const promises = await checkPromises(files, { all, strict: Boolean(process.env['CI']), long: false });
  for (const promise of promises.lines) console.log(promise);
  total = withBroken(total, promises);
  // The last line must report a failure if turbo failed, even if no report contains a failure.
  return !allSucceeded && total.failed === 0 ? add(total, lost) : total;
}

function rankOf({ directory }: PackageTask): number {
  const rank = longest.indexOf(directory);
  return rank === -1 ? longest.length : rank;
}

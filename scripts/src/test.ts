/** `pnpm test`: finds the tools that the tests need, lets turbo run every suite, and adds up the reports. */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findChromium } from './browser.ts';
import { projectRoot } from './project.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { checkPromises } from './test/promises.ts';
import { readOutcome, resultsFolder, type Outcome } from './test/reports.ts';
import { packagesWith, turbo } from './turbo.ts';

const help = `Usage: pnpm test [turbo's options]

Runs every suite: unit, integration, browser. Turbo's cache replays suites that passed and have not changed.
  --filter=@temporal-kms/kms-codec   one package
  --force                            without the cache
Variables: SLOW=1 (more property runs), CI=1 (no test may be skipped), CHROMIUM_PATH, TEMPORAL_CLI_PATH.
The last lines name the tests that failed, or passed only at the second attempt, with the beginning of their errors, and then
"N passed, N failed".`;

async function main(args: readonly string[]): Promise<Outcome> {
  const found = {
    TEMPORAL_CLI_PATH: await findTemporalCli({ onProgress: console.log }),
    CHROMIUM_PATH: await findChromium(console.log),
  };
  const suites = await packagesWith('test', args);
  const folders = suites.map((suite) => join(projectRoot, suite.directory));
  // Remove the reports of earlier runs. Turbo restores those in its cache.
  for (const folder of folders) await rm(join(folder, resultsFolder), { recursive: true, force: true });
  // Each vitest uses several cores, and each Temporal server a large part of one.
  const concurrency = Math.max(2, Math.floor(availableParallelism() / 2));
  const logs = ['--output-logs=new-only', `--log-order=${process.stdout.isTTY ? 'stream' : 'grouped'}`];
  const options = ['--continue=always', ...logs, `--concurrency=${concurrency}`];
  const status = await turbo(['run', 'test', ...options, ...args], found);

  const outcomes = await Promise.all(folders.map(readOutcome));
  let total = none;
  for (const [index, suite] of suites.entries()) {
    const outcome = outcomes[index] ?? none;
    const ran = outcome.passed + outcome.failed > 0;
    console.log(ran ? line(suite.package, outcome) : `${suite.package}: ran no test; counted as 1 failed`);
    total = add(total, ran ? outcome : lost);
  }
  const all = !args.some((arg) => arg.startsWith('--filter') || arg === '-F' || arg === '--affected');
  const directories = suites.map((suite) => suite.directory);
  const promises = await checkPromises(directories, { all, strict: Boolean(process.env['CI']) });
  for (const promise of promises.lines) console.log(promise);
  for (const test of total.flaky)
    console.log(`passed at the second attempt: ${test.replaceAll(`${projectRoot}/`, '')}`);
  for (const failure of total.failures) console.log(`failed: ${failure.replaceAll(`${projectRoot}/`, '')}`);
  // A failed test already counts for its promise. Only a promise whose test is missing counts here.
  if (promises.broken > 0 && total.failed === 0) {
    for (const promise of promises.lines.filter((one) => one.startsWith('✗')))
      console.log(`failed: ${promise}`);
    total = add(total, { ...none, failed: promises.broken });
  }
  // The last line must report a failed run, even if every report is good.
  return status !== 0 && total.failed === 0 ? add(total, lost) : total;
}

const none: Outcome = { passed: 0, failed: 0, skipped: 0, failures: [], flaky: [] };
const lost: Outcome = { ...none, failed: 1 };

const add = (a: Outcome, b: Outcome): Outcome => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  failures: [...a.failures, ...b.failures],
  flaky: [...a.flaky, ...b.flaky],
});

function line(name: string, { passed, failed, skipped }: Outcome): string {
  return `${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

if (process.argv.includes('--help')) {
  console.log(help);
} else {
  let total = none;
  try {
    total = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.passed > 0 && total.failed === 0 ? 0 : 1;
}

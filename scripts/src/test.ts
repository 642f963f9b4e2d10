/** `pnpm test` and `pnpm test:long`: find the tools, run the tests, and combine the reports. */
import { parseArgs } from 'node:util';
import { findChromium } from './browser.ts';
import { projectRoot } from './project.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { runLongProofs } from './test/long-proofs.ts';
import { lost, type Outcome } from './test/reports.ts';
import { runSuites } from './test/suites.ts';

const help = `Usage: pnpm test [turbo's options]
       pnpm test:long [--within MINUTES] [PART OF A FILE'S PATH…]

\`pnpm test\` runs every suite: unit, integration, browser. Turbo's cache replays suites that passed and have not changed.
  --filter=@temporal-kms/kms-codec   one package
  --force                            without the cache
\`pnpm test:long\` runs the long proofs: fuzzing with new seeds, tools and versions that users have, outages of a fleet.
  --within MINUTES                   starts only proofs that end in time, and lists the others as not run
Variables: CI=1 (no test may be skipped), CHROMIUM_PATH, TEMPORAL_CLI_PATH, SLOW=1 (the inputs of the long proofs).
The last lines list the tests that failed, or passed only on the second attempt, with the first lines of their errors, then
"N passed, N failed".`;

async function main(args: readonly string[]): Promise<Outcome> {
  const [temporal, chromium] = await Promise.all([
    findTemporalCli({ onProgress: console.log }),
    findChromium(console.log),
  ]);
  // The last variable, which containers often set, is cleared so that Python compiles each module only once.
  const tools = { TEMPORAL_CLI_PATH: temporal, CHROMIUM_PATH: chromium, PYTHONDONTWRITEBYTECODE: '' };
  if (!args.includes('--long')) return await runSuites(args, tools);
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { long: { type: 'boolean' }, within: { type: 'string' } },
  });
  const within = Number(values.within ?? Number.POSITIVE_INFINITY);
  if (Number.isNaN(within)) throw new Error('--within must be a number of minutes.');
  return await runLongProofs(positionals, within, tools);
}

const relative = (text: string): string => text.replaceAll(`${projectRoot}/`, '');

if (process.argv.includes('--help')) {
  console.log(help);
} else {
  const total = await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return lost;
  });
  for (const test of total.flaky) console.log(`passed on the second attempt: ${relative(test)}`);
  for (const failure of total.failures) console.log(`failed: ${relative(failure)}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  // With `--long`, it is not a failure if no test ran, because the time limit may exclude every long proof.
  const ran = total.passed > 0 || process.argv.includes('--long');
  process.exitCode = ran && total.failed === 0 ? 0 : 1;
}

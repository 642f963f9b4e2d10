import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { projectRoot } from '../project.ts';
import { inLanes } from './lanes.ts';
import { checkPromises, withBroken } from './promises.ts';
import { add, type FileOutcome, lost, none, type Outcome, readFiles, readOutcome } from './reports.ts';
import { suiteLine } from './times.ts';

export interface LongProof {
  readonly directory: string;
  /**
   * A test file that `pnpm test` leaves out (`*.long.test.ts`, `*.long.spec.ts`) or runs with fewer inputs.
   */
  readonly file: string;
  /** Number of minutes that the proof takes on two cores while another proof runs. */
  readonly minutes: number;
}

/** All long proofs, the longest first, so that short proofs run last. */
export const longProofs: readonly LongProof[] = [
  { directory: 'apps/codec-server', file: 'test/integration/crash-content.test.ts', minutes: 12 },
  { directory: 'packages/kms-codec', file: 'test/interop/differential.test.ts', minutes: 10 },
  { directory: 'packages/testing', file: 'test/fuzz.long.test.ts', minutes: 10 },
  { directory: 'apps/worker', file: 'test/fleet.long.test.ts', minutes: 10 },
  { directory: 'apps/key-admin', file: 'test/destroy/never-wrong.test.ts', minutes: 8 },
  { directory: 'apps/codec-server', file: 'test/integration/schemathesis.test.ts', minutes: 8 },
  { directory: 'e2e', file: 'test/screens.spec.ts', minutes: 7 },
  { directory: 'e2e', file: 'test/signed-in-screens.spec.ts', minutes: 5 },
  // These ten proofs build programs with Go.
  { directory: 'apps/key-admin', file: 'test/terraform.long.test.ts', minutes: 4 },
  { directory: 'apps/codec-server', file: 'test/integration/go-client.long.test.ts', minutes: 4 },
  { directory: 'apps/codec-server', file: 'test/integration/web-ui.long.test.ts', minutes: 4 },
  { directory: 'apps/codec-server', file: 'test/integration/go-storage.long.test.ts', minutes: 4 },
  { directory: 'deploy', file: 'test/helm.long.test.ts', minutes: 4 },
  { directory: 'deploy', file: 'test/helm-operations.long.test.ts', minutes: 4 },
  { directory: 'deploy', file: 'test/alerts.long.test.ts', minutes: 4 },
  { directory: 'e2e', file: 'test/prometheus.long.spec.ts', minutes: 4 },
  { directory: 'e2e', file: 'test/collector.long.spec.ts', minutes: 4 },
  { directory: 'packages/kms-emulator', file: 'test/go-clients.long.test.ts', minutes: 4 },
  { directory: 'apps/codec-server', file: 'test/integration/crash.test.ts', minutes: 4 },
  { directory: 'apps/codec-server', file: 'test/temporal/decode-plan.test.ts', minutes: 3 },
  { directory: 'scripts', file: 'test/prune.long.test.ts', minutes: 3 },
  { directory: 'packages/testing', file: 'test/reproducible.long.test.ts', minutes: 3 },
  { directory: 'packages/kms-codec', file: 'test/branch-keys/model.test.ts', minutes: 3 },
  { directory: 'packages/kms-codec', file: 'test/matrix/matrix.long.test.ts', minutes: 3 },
  { directory: 'apps/codec-server', file: 'test/moving/guide.long.test.ts', minutes: 2 },
  { directory: 'packages/kms-codec', file: 'test/interop/oldest-python.long.test.ts', minutes: 2 },
  { directory: 'packages/vectors', file: 'test/go-reader.long.test.ts', minutes: 2 },
  { directory: 'packages/kms-emulator', file: 'test/python-clients.long.test.ts', minutes: 2 },
  { directory: 'apps/codec-server', file: 'test/fuzz.test.ts', minutes: 2 },
  { directory: 'packages/payload-storage', file: 'test/python-writers.long.test.ts', minutes: 1 },
  { directory: 'packages/kms-codec', file: 'test/properties.test.ts', minutes: 1 },
  { directory: 'packages/kms-codec', file: 'test/fuzz.test.ts', minutes: 1 },
  { directory: 'packages/kms-codec', file: 'test/keys/pauses.test.ts', minutes: 1 },
  { directory: 'packages/worker-kit', file: 'test/run-worker/deaths.test.ts', minutes: 1 },
  { directory: 'apps/key-admin', file: 'test/cli/terminal.test.ts', minutes: 1 },
  { directory: 'packages/kms-emulator', file: 'test/ciphertext.test.ts', minutes: 1 },
  { directory: 'apps/decrypt-ui', file: 'test/runs/events/history.test.ts', minutes: 1 },
  { directory: 'apps/codec-server', file: 'test/history/long-history.test.ts', minutes: 1 },
  { directory: 'apps/codec-server', file: 'test/access/table.test.ts', minutes: 1 },
  { directory: 'apps/codec-server', file: 'test/access/unverified-email.test.ts', minutes: 1 },
  { directory: 'apps/codec-server', file: 'test/audit/audit-lock.test.ts', minutes: 1 },
];

const LANES = Math.max(2, Math.floor(availableParallelism() / 2));

/** A proof fails if it takes longer than its minutes times this factor. */
const PATIENCE = 3;

/**
 * Runs the long proofs whose paths contain one of the strings, and prints their outcomes. By default, runs
 * all long proofs.
 * @param within a limit in minutes; a proof that might exceed it is not started
 */
export async function runLongProofs(
  texts: readonly string[],
  within: number,
  tools: NodeJS.ProcessEnv,
): Promise<Outcome> {
  const end = performance.now() + within * 60_000;
  const pathOf = ({ directory, file }: LongProof): string => `${directory}/${file}`;
  const wanted = longProofs.filter(
    (proof) => texts.length === 0 || texts.some((text) => pathOf(proof).includes(text)),
  );
  if (wanted.length === 0) throw new Error(`No long proof has a path that contains: ${texts.join(', ')}`);
  const files = new Map<string, FileOutcome>();
  const notRun: LongProof[] = [];
  let total = none;
  await inLanes(wanted, LANES, async (proof) => {
    if (performance.now() + proof.minutes * PATIENCE * 60_000 > end) {
      notRun.push(proof);
      return;
    }
    console.log(`${pathOf(proof)}: about ${proof.minutes} min…`);
    const outcome = await runProof(proof, tools);
    for (const [path, found] of await readFiles(proof.directory, folderOf(proof))) files.set(path, found);
    console.log(suiteLine(pathOf(proof), outcome));
    total = add(total, outcome);
  });
  const promises = await checkPromises(files, { all: false, strict: Boolean(process.env['CI']), long: true });
  for (const promise of promises.lines) console.log(promise);
  for (const proof of notRun) console.log(`not run, too little time is left: ${pathOf(proof)}`);
  return withBroken(total, promises);
}

const folderOf = ({ file }: LongProof): string => join('.results', 'long', file.replaceAll('/', '-'));

async function runProof(proof: LongProof, tools: NodeJS.ProcessEnv): Promise<Outcome> {
  const cwd = join(projectRoot, proof.directory);
  const folder = folderOf(proof);
  await rm(join(cwd, folder), { recursive: true, force: true });
  const [program, args, env] = proof.file.endsWith('.spec.ts')
    ? [
        'playwright',
        ['test', proof.file, '--output', join(folder, 'traces')],
        { PLAYWRIGHT_JSON_OUTPUT_FILE: join(folder, 'playwright.json') },
      ]
    : ['vitest', ['run', proof.file, `--outputFile.json=${join(folder, 'vitest.json')}`], {}];
  const { all, failed } = await execa(program, args, {
    cwd,
    env: { ...tools, ...env, SLOW: '1' },
    preferLocal: true,
    localDir: cwd,
    all: true,
    reject: false,
    timeout: proof.minutes * PATIENCE * 60_000,
  });
  console.log(all);
  const outcome = (await readOutcome(cwd, folder)) ?? lost;
  return failed && outcome.failed === 0 ? add(outcome, lost) : outcome;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@temporal-kms/scripts/ports';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { Closers } from '@temporal-kms/testing/stack';
import type { Checks } from '../checks.ts';
import { startDurableTemporal } from '../durable-temporal.ts';
import { KEY, startFleet } from '../fleet.ts';
import { countReruns } from '../report.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { roles } from '../settings.ts';
import { openStore } from '../stores.ts';

/** How many milliseconds a killed service remains down. */
const AWAY_MS = 3_000;
/**
 * Maximum number of seconds until every workflow that was in progress has completed. In these workflows,
 * Temporal gives a killed worker's task to another worker after at most 10 s, and a workflow has three such
 * tasks.
 */
const RECOVERY_SECONDS = 60;

/** Kills (`kill -9`) a worker of each role, Cloud KMS and Temporal in turn, and starts each of them again. */
export async function kill(
  checks: Checks,
  { processes, inFlight, seconds, keyLifetimeMs, store: kind }: ScenarioOptions,
): Promise<void> {
  await using closers = new Closers();
  const folder = await mkdtemp(join(tmpdir(), 'fleet-services-'));
  closers.defer(() => rm(folder, { recursive: true, force: true }));
  const temporal = closers.use(await startDurableTemporal(join(folder, 'temporal.db')));
  const kms = await startKms(join(folder, 'keys.json'));
  closers.defer(() => kms.kill());
  const store = closers.use(await openStore(kind));
  const services = { address: temporal.address, kmsAddress: kms.address };
  const fleet = closers.use(await startFleet(services, { processes, keyLifetimeMs, env: store.env }));
  const load = fleet.load('delivery').start(inFlight);
  await load.warm();
  const before = await load.rate((seconds * 1_000) / 2);
  checks.figure(
    '| killed | workflows per second before | longest time without a completion | all recovered after |\n|---|---|---|---|',
  );

  const victims: readonly (readonly [
    name: string,
    kill: () => Promise<void>,
    replace: () => Promise<void>,
  ])[] = [
    ...roles.map((role): [string, () => Promise<void>, () => Promise<void>] => {
      const victim = fleet.workers.find((worker) => worker.role === role);
      return [
        `a worker for ${role}`,
        async () => victim?.kill(),
        async () => void (await fleet.add(role).untilReady()),
      ];
    }),
    ['Cloud KMS', () => kms.kill(), () => kms.start()],
    ['Temporal', () => temporal.kill(), () => temporal.start()],
  ];
  for (const [name, end, replace] of victims) {
    checks.progress(`kill -9 of ${name}`);
    const known = countReruns(fleet.workers);
    load.longestGap();
    await end();
    const settled = load.settled();
    await sleep(AWAY_MS);
    await replace();
    const recovery = await settled;
    const gap = load.longestGap();
    checks.figure(`| ${name} | ${before.toFixed(1)} | ${gap.toFixed(1)} s | ${recovery.toFixed(1)} s |`);
    checks.inTime(
      `time until all workflows have completed that were in progress when ${name} was killed`,
      RECOVERY_SECONDS,
      recovery,
    );
    const now = countReruns(fleet.workers);
    const ofOthers = now.rerun - now.rerunAfterKill - (known.rerun - known.rerunAfterKill);
    if (name !== 'Temporal')
      checks.none(`activity of a living process ran again after the kill of ${name}`, ofOthers);
    else checks.figure(`\n${ofOthers} activities ran again after the kill of Temporal.\n`);
    for (const worker of fleet.workers) if (worker.isRunning()) await worker.untilReady();
    await load.rate((seconds * 1_000) / 2);
  }
  await load.stop();
  const report = await fleet.report();
  checks.nothingFailed(report);
  checks.figure(
    `${report.completed} workflows completed; ${report.rerun} activities ran again, ${report.rerunAfterKill} of them because their process was killed.`,
  );
}

/** Starts the KMS emulator as a process, with its keys in a file. */
async function startKms(dataFile: string) {
  const [port = 0, controlPort = 0] = await freePorts(2);
  const file = fileURLToPath(new URL('cli.ts', import.meta.resolve('@temporal-kms/kms-emulator')));
  const args = [
    '--port',
    String(port),
    '--control-port',
    String(controlPort),
    '--data-file',
    dataFile,
    '--key',
    KEY,
  ];
  let running: NodeProcess;
  const start = async (): Promise<void> => {
    running = startNode(file, { args });
    while (!running.stdout().includes('ready')) {
      if (!running.isRunning()) throw new Error(`The KMS emulator did not start: ${running.output()}`);
      await sleep(50);
    }
  };
  await start();
  return { address: `127.0.0.1:${port}`, start, kill: () => running.kill() };
}

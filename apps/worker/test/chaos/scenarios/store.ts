import { setTimeout as sleep } from 'node:timers/promises';
import type { Checks } from '../checks.ts';
import { startFleet, startServices } from '../fleet.ts';
import type { FleetWorker } from '../fleet-worker.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { type FaultyStore, openFaultyBucket, openFaultyDirectory } from '../store-faults.ts';

/**
 * The time within which a starting process must be ready. The process waits for a store for at most 2 s; the
 * rest of the time is for the process's start.
 */
const START_SECONDS = 30;
/** How far the clocks are moved, because a process tries a failed store again after 20 to 30 s. */
const ASKED_AGAIN_MS = 30_000;
const WORKS_AGAIN_MS = 60_000;

/** Faults of the branch-key store, in a directory and in a bucket. A process starts during each fault. */
export async function store(checks: Checks, options: ScenarioOptions): Promise<void> {
  checks.figure('| store | trouble | logged | a new process was ready after |\n|---|---|---|---|');
  const kinds = [
    { name: 'file', open: openFaultyDirectory },
    { name: 'gs', open: openFaultyBucket },
  ].filter(({ name }) => options.store === undefined || options.store === name);
  for (const { name, open } of kinds) await troubles(checks, options, name, open);
}

async function troubles(
  checks: Checks,
  { processes, inFlight, keyLifetimeMs }: ScenarioOptions,
  kind: string,
  open: () => Promise<FaultyStore>,
): Promise<void> {
  await using services = await startServices();
  const { closers } = services;
  const { faults, env } = closers.use(await open());
  const fleet = closers.use(await startFleet(services, { processes, keyLifetimeMs, env }));
  // A stopping process can lose a task that Temporal gives it meanwhile, and the task runs again after its
  // timeout. Each phase is long enough for every process to refresh its key and, after a request without a
  // response, to try the bucket again.
  const phaseMs = kind === 'gs' ? Math.max(keyLifetimeMs, ASKED_AGAIN_MS) : keyLifetimeMs;
  const load = fleet.load('delivery').start(inFlight);
  await load.warm();
  // Waits until the first key has been replaced, so that there is an older entry to restore.
  await load.rate(keyLifetimeMs);
  for (const { name, code, begin, end } of faults) {
    checks.progress(`${kind}: the store is ${name}`);
    const known = fleet.workers.map((worker) => storeLines(worker).length);
    await begin();
    const added = fleet.add('activities');
    const ready = await added.untilReady();
    checks.inTime(`${kind}, ${name}: time until a new process is ready`, START_SECONDS, ready);
    await load.rate(phaseMs);
    const runs = added.runs().length;
    checks.check(`${kind}, ${name}: the new process runs activities`, runs > 0, String(runs));
    const codes = fleet.workers.flatMap((worker, index) =>
      storeLines(worker)
        .slice(known[index])
        .flatMap((line) => line.code ?? []),
    );
    const seen = [...new Set(codes)].join(', ') || 'nothing';
    checks.figure(`| ${kind} | ${name} | ${seen} | ${ready.toFixed(1)} s |`);
    if (code === undefined) {
      // On a slow machine, a process may temporarily find the store unavailable.
      const rejected = codes.filter((one) => one !== 'unavailable');
      checks.check(`${kind}, ${name}: no process rejects what is stored`, rejected.length === 0, seen);
    } else {
      checks.check(`${kind}, ${name}: the log contains ${code}`, codes.includes(code), seen);
    }
    await end();
    added.child.kill('SIGTERM');
    await added.ended;
    await fleet.advance(ASKED_AGAIN_MS);
    await untilNoneFails(fleet.workers);
  }
  const down = await untilNoneFails(fleet.workers);
  checks.none(`process reports a failed store after it has returned (${kind})`, down);
  await load.stop();
  const report = await fleet.report();
  checks.nothingFailed(report);
  checks.none('client call failed', report.clientErrors);
  checks.none('activity ran again', report.rerun);
}

interface StoreLine {
  readonly operation: string;
  /** The logged code; `undefined` if the entry reports that the store works again. */
  readonly code: string | undefined;
}

function storeLines(worker: FleetWorker): StoreLine[] {
  return worker
    .log()
    .filter(({ message }) => message.startsWith('Branch key store'))
    .map(({ operation, code }) => ({
      operation: String(operation),
      code: typeof code === 'string' ? code : undefined,
    }));
}

async function untilNoneFails(workers: readonly FleetWorker[]): Promise<number> {
  const end = performance.now() + WORKS_AGAIN_MS;
  for (;;) {
    const failing = workers.filter((worker) => {
      const last = new Map(storeLines(worker).map(({ operation, code }) => [operation, code]));
      return worker.isRunning() && [...last.values()].some((code) => code !== undefined);
    });
    if (failing.length === 0 || performance.now() > end) return failing.length;
    await sleep(200);
  }
}

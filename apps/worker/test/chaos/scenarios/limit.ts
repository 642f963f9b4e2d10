import type { Checks } from '../checks.ts';
import { startFleet, startServices } from '../fleet.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { openStore } from '../stores.ts';

const HOUR_MS = 3_600_000;
/**
 * How far the clocks are moved in the first step. The hard limit is 24 h, and polling stops when the keys'
 * remaining time is below 60 s.
 */
const BEFORE_LIMIT_MS = 24 * HOUR_MS - 50_000;
const STOPS_SECONDS = 20;
const READY_SECONDS = 20;

/** Simulates a Cloud KMS outage of 25 h by moving clocks. */
export async function limit(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, store: kind } = options;
  await using services = await startServices();
  const { closers, emulator } = services;
  const store = closers.use(await openStore(kind));
  const fleet = closers.use(await startFleet(services, { processes, env: store.env }));
  const load = fleet.load().start(inFlight);
  await load.warm();
  emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
  checks.progress('24 h without Cloud KMS, less 50 s');
  await fleet.advance(BEFORE_LIMIT_MS);
  const stopped = await Promise.all(fleet.workers.map((worker) => worker.untilNotReady()));
  checks.inTime(
    'time until /readyz answers 503',
    STOPS_SECONDS,
    Math.max(...stopped.map((one) => one.seconds)),
  );
  const least = Math.min(...stopped.map(({ answer }) => answer?.autonomySeconds ?? 0));
  checks.check('polling stops before keys expire', least > 0, `${least} s before`);
  await load.rate(15_000);
  checks.progress('25 h without Cloud KMS');
  await fleet.advance(HOUR_MS);
  const rate = await load.rate(seconds * 1_000);
  checks.check('no task is taken without keys', rate === 0, `${rate.toFixed(1)} workflows per second`);
  const waiting = await Promise.all(fleet.workers.map((worker) => worker.readyz()));
  checks.check(
    'every process waits for a key',
    waiting.every((answer) => answer?.http === 503 && answer.phase === 'waiting_for_kms'),
    waiting.map((answer) => answer?.phase).join(', '),
  );
  emulator.clearFaults();
  checks.progress('Cloud KMS answers again');
  const settled = load.settled();
  const ready = await Promise.all(fleet.workers.map((worker) => worker.untilReady()));
  checks.inTime('time until every process is ready', READY_SECONDS, Math.max(...ready));
  checks.figure(
    `After an outage of 25 h, every process was ready after ${Math.max(...ready).toFixed(1)} s, and all workflows that were in progress had completed after ${(await settled).toFixed(1)} s.`,
  );
  await load.stop();
  const report = await fleet.report();
  checks.nothingFailed(report);
  checks.none('activity ran again', report.rerun);
}

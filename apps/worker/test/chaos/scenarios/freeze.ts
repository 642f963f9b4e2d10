import type { Checks } from '../checks.ts';
import { startFleet, startServices } from '../fleet.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { openStore } from '../stores.ts';

/** The time within which `/readyz` must report that Temporal does not answer (docs/runbook.md). */
const NOTICED_SECONDS = 40;
/**
 * The time within which `/readyz` must report ready again. A failed measurement is repeated about every
 * second, and each call has a deadline of 5 s.
 */
const READY_AGAIN_SECONDS = 20;

/** Freezes Temporal (SIGSTOP) and lets it continue (SIGCONT). */
export async function freeze(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, keyLifetimeMs, store: kind } = options;
  await using services = await startServices();
  const { closers, server } = services;
  const store = closers.use(await openStore(kind));
  const fleet = closers.use(await startFleet(services, { processes, keyLifetimeMs, env: store.env }));
  const load = fleet.load('delivery').start(inFlight);
  await load.warm();
  checks.progress('freezing Temporal');
  process.kill(server.pid, 'SIGSTOP');
  let noticed: number[];
  try {
    noticed = await Promise.all(
      fleet.workers.map(async (worker) => (await worker.untilNotReady(2 * NOTICED_SECONDS * 1_000)).seconds),
    );
    checks.progress('every process has noticed the freeze');
    await load.rate(seconds * 1_000);
    const answers = await Promise.all(fleet.workers.map((worker) => worker.readyz()));
    const ready = answers.filter((answer) => answer?.http !== 503).length;
    checks.none('process reports ready while Temporal is frozen', ready);
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
  checks.progress('Temporal continues');
  const settled = load.settled();
  const again = await Promise.all(fleet.workers.map((worker) => worker.untilReady()));
  checks.inTime('time until /readyz answers 503', NOTICED_SECONDS, Math.max(...noticed));
  checks.inTime('time until /readyz answers 200 again', READY_AGAIN_SECONDS, Math.max(...again));
  const recovery = await settled;
  checks.figure(
    `Temporal frozen: /readyz answered 503 after ${Math.min(...noticed).toFixed(1)} to ${Math.max(...noticed).toFixed(1)} s, and 200 at most ${Math.max(...again).toFixed(1)} s after Temporal continued. All workflows that were in progress had completed ${recovery.toFixed(1)} s after that.`,
  );
  await load.stop();
  checks.nothingFailed(await fleet.report());
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { Checks } from '../checks.ts';
import { type Fleet, startFleet, startServices } from '../fleet.ts';
import type { FleetWorker } from '../fleet-worker.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { roles } from '../settings.ts';
import { openStore } from '../stores.ts';
import { arrive, type journey, move, place } from '../workflows.ts';

const JOURNEYS = 10;
/**
 * The time within which a process must be ready. A starting process calls Cloud KMS at least every 5 s. After
 * a response, it connects to Temporal and creates its worker.
 */
const READY_SECONDS = 20;

/** Starts a process of each role while Cloud KMS returns errors. Queries and updates continue meanwhile. */
export async function join(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, keyLifetimeMs, store: kind } = options;
  await using services = await startServices();
  const { closers, emulator } = services;
  const store = closers.use(await openStore(kind));
  const fleet = closers.use(await startFleet(services, { processes, keyLifetimeMs, env: store.env }));
  const load = fleet.load().start(inFlight);
  const journeys = await startJourneys(fleet);
  await load.warm();
  const before = await load.rate((seconds * 1_000) / 2);

  checks.progress('Cloud KMS returns errors; a process of each role starts');
  emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
  const joining = roles.map((role) => fleet.add(role));
  await Promise.all(joining.map(untilItWaits));
  const calling = callUntil(performance.now() + seconds * 1_000, journeys);
  let unexpected = 0;
  const watching = (async () => {
    const end = performance.now() + seconds * 1_000;
    while (performance.now() < end) {
      for (const worker of joining) {
        const answer = await worker.readyz();
        if (answer && answer.http !== 503) unexpected += 1;
      }
      await sleep(250);
    }
  })();
  const during = await load.rate(seconds * 1_000);
  const [calls] = await Promise.all([calling, watching]);
  const phases = (await Promise.all(joining.map((worker) => worker.readyz()))).map((answer) => answer?.phase);
  checks.check(
    'the new processes wait for a key, and answer 503',
    unexpected === 0 && phases.every((phase) => phase === 'waiting_for_kms'),
    `${unexpected} other answers; ${phases.join(', ')}`,
  );
  checks.check(
    'workflows complete in the outage',
    during > 0,
    `${during.toFixed(1)} per second, ${before.toFixed(1)} before`,
  );
  checks.none(`query of ${calls.queries} failed in the outage`, calls.failedQueries);
  checks.none(`update of ${calls.updates} failed in the outage`, calls.failedUpdates);

  emulator.clearFaults();
  checks.progress('Cloud KMS answers again');
  const ready = await Promise.all(joining.map((worker) => worker.untilReady()));
  checks.inTime('time until the new processes are ready', READY_SECONDS, Math.max(...ready));
  await load.rate((seconds * 1_000) / 2);
  const runs = joining.find(({ role }) => role === 'activities')?.runs().length ?? 0;
  checks.check('the new process runs activities', runs > 0, String(runs));
  await Promise.all(journeys.map((one) => one.signal(arrive)));
  await Promise.all(journeys.map((one) => one.result()));
  await load.stop();
  const report = await fleet.report();
  checks.nothingFailed(report);
  checks.nothingRepeated(report);
}

/** Waits until a process has tried to get a key. */
async function untilItWaits(worker: FleetWorker): Promise<void> {
  const { answer } = await worker.untilNotReady();
  if (answer?.phase === 'waiting_for_kms') return;
  await sleep(100);
  await untilItWaits(worker);
}

const startJourneys = ({ client, taskQueue }: Fleet) =>
  Promise.all(
    Array.from({ length: JOURNEYS }, (_, number) =>
      client.workflow.start<typeof journey>('journey', {
        taskQueue,
        workflowId: `journey-${number}`,
        args: [`town ${number}`],
      }),
    ),
  );

/** Sends queries and updates to the workflows in turn, until the time `end`. */
async function callUntil(end: number, journeys: readonly WorkflowHandle<typeof journey>[]) {
  const counts = { queries: 0, updates: 0, failedQueries: 0, failedUpdates: 0 };
  for (let number = 0; performance.now() < end; number += 1) {
    const one = journeys[number % journeys.length];
    const to = `stop ${number}`;
    counts.updates += 1;
    const moved = await one?.executeUpdate(move, { args: [to] }).catch(() => undefined);
    if (moved !== to) counts.failedUpdates += 1;
    counts.queries += 1;
    const at = await one?.query(place).catch(() => undefined);
    if (moved === to && at !== to) counts.failedQueries += 1;
  }
  return counts;
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startNetwork } from '@temporal-kms/testing/network';
import { Closers } from '@temporal-kms/testing/stack';
import type { Checks } from '../checks.ts';
import { startDurableTemporal } from '../durable-temporal.ts';
import { type Fleet, KEY, startFleet } from '../fleet.ts';
import type { Load } from '../load.ts';
import { runFault, type Targets } from '../random/faults.ts';
import { faultGroups, faultKinds, planFaults } from '../random/plan.ts';
import { type FaultTime, findRepeats, refusedUnconfirmed } from '../random/repeats.ts';
import { watchReadiness } from '../random/readiness-watch.ts';
import { openRandomStore } from '../random/store.ts';
import type { FleetReport } from '../report.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { confirmedMs, machineTime } from '../settings.ts';

const IDENTITY = 'worker@fleet.iam.gserviceaccount.com';
const ROLE = { role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter', members: [`serviceAccount:${IDENTITY}`] };
/**
 * Number of orders in progress in each fleet. An order takes about half a minute, so a fault usually happens
 * during an order.
 */
const IN_FLIGHT = 12;
/** Extra time for the measurement and for a busy machine. */
const SLACK_MS = 10_000;
const READY_SECONDS = 30;
/** How many milliseconds every order may take to complete after the last fault. */
const SETTLED_MS = 180_000;

/**
 * Causes random faults of Cloud KMS, its network, the branch-key store, processes and Temporal. A control
 * fleet without the codec has the same load at the same time, and the same process faults and Temporal
 * faults.
 */
export async function random(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, keyLifetimeMs, seed } = options;
  checks.figure(`Random faults: --seed ${seed} --faults ${options.faults} --minutes ${options.minutes}`);
  await using closers = new Closers();
  const folder = await mkdtemp(join(tmpdir(), 'fleet-services-'));
  closers.defer(() => rm(folder, { recursive: true, force: true }));
  const temporal = closers.use(await startDurableTemporal(join(folder, 'temporal.db')));
  const emulator = closers.use(await startEmulator({ keys: [KEY], identities: { [IDENTITY]: 0 } }));
  const permit = async (isPermitted: boolean) =>
    void (await emulator.setPolicy(KEY, isPermitted ? [ROLE] : []));
  await permit(true);
  const network = closers.use(await startNetwork(Number(emulator.identities[IDENTITY]?.split(':').at(-1))));
  const healthy = closers.use(await startEmulator({ keys: [KEY] }));
  const store = closers.use(await openRandomStore());
  const common = { processes, keyLifetimeMs };
  const clock = { FLEET_CLOCK: 'process' } as const;
  const services = { address: temporal.address, kmsAddress: `127.0.0.1:${network.port}` };
  const fleet = closers.use(await startFleet(services, { ...common, env: { ...store.env, ...clock } }));
  const control = closers.use(
    await startFleet(
      { ...services, kmsAddress: healthy.address },
      { ...common, env: clock, codec: 'none', taskQueue: 'control' },
    ),
  );
  const fleets = [fleet, control];
  const loads = fleets.map((one) => one.load('order').start(IN_FLIGHT));
  await Promise.all(loads.map((load) => load.warm()));
  const countsMs = confirmedMs(keyLifetimeMs);
  const watch = watchReadiness(fleet, countsMs + SLACK_MS);
  closers.defer(watch.stop);
  const targets: Targets = { emulator, network, store, temporal, fleets, permit, disruptions: [] };

  const faults = await runFaults(checks, options, targets, loads);

  const ready = await Promise.allSettled(
    fleet.workers.filter((worker) => worker.isRunning()).map((worker) => worker.untilReady()),
  );
  const late = ready.map((one) => (one.status === 'fulfilled' ? one.value : Number.POSITIVE_INFINITY));
  checks.inTime('time until every process is ready', READY_SECONDS, Math.max(...late));
  await Promise.race([Promise.all(loads.map((load) => load.stop())), sleep(SETTLED_MS)]);
  const readiness = await watch.stop();
  checks.progress('reading all histories');
  const refused = refusedUnconfirmed(faults, countsMs);
  const [ours, controls] = await Promise.all(
    fleets.map(async (one) => ({
      ...(await one.report()),
      repeats: findRepeats(runsOf(one), [...targets.disruptions, ...(one === fleet ? refused : [])]),
    })),
  );
  if (!ours || !controls) throw new RangeError('Two fleets are compared');
  checks.check('workflows complete', ours.completed > 0, String(ours.completed));
  checks.check('no workflow failed', ours.failed === 0, [ours.failed, ...ours.reasons].join('; '));
  checks.none(`workflow is incomplete ${SETTLED_MS / 1_000} s after the last fault`, ours.lost);
  const compared = [
    ['activity is lost', ours.lostActivities, controls.lostActivities],
    [
      'activity runs again without a cause (a fault of its process or of Temporal, or a refusal after an outage)',
      ours.repeats.unexplained.length,
      controls.repeats.unexplained.length,
    ],
    ['worker ends or is replaced', ours.deadWorkers, controls.deadWorkers],
  ] as const;
  for (const [what, count, allowed] of compared) {
    checks.check(
      `no ${what}, beyond the control fleet`,
      count <= allowed,
      `${count}, control fleet ${allowed}`,
    );
  }
  checks.none('process reports ready while its tasks fail', readiness.violations.length);
  for (const line of [...ours.repeats.unexplained, ...readiness.violations]) checks.progress(line);
  report(checks, [ours, controls], readiness);
  if (checks.all.some(({ isKept }) => !isKept)) await keepLogs(checks, fleet);
}

/**
 * Runs the planned faults, and returns the times when they happened.
 * @throws Error if a fault cannot be applied
 */
async function runFaults(
  checks: Checks,
  { seed, faults: count, minutes }: ScenarioOptions,
  targets: Targets,
  loads: readonly Load[],
): Promise<FaultTime[]> {
  const kinds = faultKinds.filter((kind) => kind !== 'full disk' || targets.store.disk);
  if (kinds.length < faultKinds.length)
    checks.progress('no full disk: this process may not mount file systems');
  const plan = planFaults(seed, count, minutes * 60_000, kinds);
  checks.progress(`${plan.length} faults of seed ${seed}`);
  const byGroup = new Map<string, Promise<void>>();
  const problems: unknown[] = [];
  const ended: FaultTime[] = [];
  const begin = performance.now();
  for (const [index, fault] of plan.entries()) {
    const { kind, atMs, lengthMs } = fault;
    await sleep(Math.max(0, begin + atMs - performance.now()));
    const group = faultGroups[kind];
    await byGroup.get(group);
    if (problems.length > 0) throw problems[0];
    const completed = loads.map((load) => load.completed).join(' and ');
    const what = `${kind}, ${(lengthMs / 1_000).toFixed(1)} s`;
    checks.progress(`fault ${index + 1} of ${count}: ${what}; ${completed} workflows completed`);
    const from = machineTime();
    byGroup.set(
      group,
      runFault[kind](targets, fault)
        .then(() => void ended.push({ kind, from, to: machineTime() }))
        .catch((error: unknown) => void problems.push(error)),
    );
    // A later fault restores this copy, which by then is older than the processes' keys.
    await targets.store.backUp();
  }
  await Promise.all(byGroup.values());
  if (problems.length > 0) throw problems[0];
  checks.progress('the last fault has ended');
  const counts = Object.entries(Object.groupBy(plan, ({ kind }) => kind));
  checks.figure(counts.map(([kind, all]) => `${kind} ${all.length}`).join(', '));
  return ended;
}

const runsOf = ({ workers }: Fleet) =>
  workers.flatMap((worker) => worker.runs().map((run) => ({ ...run, pid: worker.pid })));

type RandomReport = FleetReport & { readonly repeats: ReturnType<typeof findRepeats> };

function report(
  checks: Checks,
  [ours, controls]: readonly [RandomReport, RandomReport],
  { violations, longestMs, failures }: Awaited<ReturnType<ReturnType<typeof watchReadiness>['stop']>>,
): void {
  const rows: readonly (readonly [what: string, of: (report: RandomReport) => number])[] = [
    ['workflows completed', ({ completed }) => completed],
    ['failed', ({ failed }) => failed],
    ['incomplete', ({ lost }) => lost],
    ['activities lost', ({ lostActivities }) => lostActivities],
    ['run again', ({ repeats }) => repeats.all],
    ['of these, without such a fault', ({ repeats }) => repeats.unexplained.length],
    ['workflow tasks failed or timed out', ({ taskFailures }) => taskFailures],
    ['client calls failed and were retried', ({ clientErrors }) => clientErrors],
    ['workers ended or replaced', ({ deadWorkers }) => deadWorkers],
  ];
  const cells = rows.map(([what, of]) => `| ${what} | ${of(ours)} | ${of(controls)} |`);
  checks.figure(`| | with the codec | control fleet |\n|---|---|---|\n${cells.join('\n')}`);
  checks.figure(
    `${failures} encode and decode calls failed in processes, for at most ${(longestMs / 1_000).toFixed(1)} s in one that reported ready, or degraded for a reason other than an outage; ${violations.length} times for too long.`,
  );
}

/** Saves the processes' logs for analysis. */
async function keepLogs(checks: Checks, { workers }: Fleet): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-logs-'));
  for (const worker of workers) {
    const name = `${worker.name.replace(' ', '-')}-${worker.pid}.log`;
    await writeFile(join(folder, name), worker.output());
  }
  checks.progress(`the logs of the processes are in ${folder}`);
}

import { cpuTime } from '@temporal-kms/scripts/figures';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import type { Checks } from '../checks.ts';
import { type Fleet, KEY, startFleet, startServices } from '../fleet.ts';
import type { Load } from '../load.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { openStore } from '../stores.ts';

const SLOW_MS = 2_000;

/** The phases: Cloud KMS does not answer, returns UNAVAILABLE, takes 2 s per call, and works again. */
const troubles: readonly (readonly [name: string, begin: (emulator: Emulator) => void])[] = [
  ['does not answer', (emulator) => emulator.injectFault({ effect: { kind: 'hang' } })],
  [
    'returns errors',
    (emulator) => {
      emulator.clearFaults();
      emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    },
  ],
  [
    'takes 2 s per call',
    (emulator) => {
      emulator.setLatency({ all: SLOW_MS, methods: {} });
      emulator.clearFaults();
    },
  ],
  ['after', (emulator) => emulator.setLatency({ all: 0, methods: {} })],
];

/**
 * The phases follow one another without a gap, so the outage lasts three times `seconds`. A second fleet with
 * a separate Cloud KMS has the same load at the same time, but no outage. The speed of the machine and of
 * Temporal varies for both fleets, so the scenario compares the first fleet's share of the completions, not
 * its rate.
 */
export async function outage(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, keyLifetimeMs, keptThroughput } = options;
  await using services = await startServices();
  const { closers, emulator } = services;
  const store = closers.use(await openStore(options.store));
  const first = closers.use(await startFleet(services, { processes, keyLifetimeMs, env: store.env }));
  const control = closers.use(await startEmulator({ keys: [KEY] }));
  const controlStore = closers.use(await openStore(options.store));
  const second = closers.use(
    await startFleet(
      { ...services, kmsAddress: control.address },
      { processes, keyLifetimeMs, env: controlStore.env, taskQueue: 'control' },
    ),
  );
  // Each fleet gets half of the load.
  const pairs = [first, second].map((fleet) => ({
    fleet,
    load: fleet.load().start(Math.ceil(inFlight / 2)),
  }));
  await Promise.all(pairs.map(({ load }) => load.warm()));
  checks.progress('before the outage');
  const before = await measure(pairs, seconds * 1_000);
  checks.figure(
    '| Cloud KMS | workflows per second | without outage | share, of before | CPU ms per workflow | without outage |\n|---|---|---|---|---|---|',
  );
  const row = (name: string, [one, other]: Measured) => {
    const share = one.rate / other.rate / (before[0].rate / before[1].rate);
    const cells = [one.rate, other.rate].map((rate) => rate.toFixed(1));
    const cpu = [one.cpuMs, other.cpuMs].map((ms) => ms.toFixed(1));
    checks.figure(`| ${[name, ...cells, share.toFixed(2), ...cpu].join(' | ')} |`);
    return share;
  };
  row('before', before);
  for (const [name, begin] of troubles) {
    checks.progress(`Cloud KMS: ${name}`);
    begin(emulator);
    const share = row(name, await measure(pairs, seconds * 1_000));
    checks.check(
      `throughput, ${name}: at least ${keptThroughput} of before`,
      share >= keptThroughput,
      share.toFixed(2),
    );
  }
  await Promise.all(pairs.map(({ load }) => load.stop()));
  checks.progress('reading all histories');
  const report = await first.report();
  checks.nothingFailed(report);
  checks.nothingRepeated(report);
}

interface Phase {
  /** Completed workflows per second. */
  readonly rate: number;
  /** CPU time of the fleet's workers, in ms per workflow. NaN on systems other than Linux. */
  readonly cpuMs: number;
}
type Measured = readonly [fleet: Phase, control: Phase];

interface Pair {
  readonly fleet: Fleet;
  readonly load: Load;
}

/** Measures both fleets at the same time. */
async function measure([first, second]: readonly Pair[], ms: number): Promise<Measured> {
  if (!first || !second) throw new RangeError('Two fleets are compared');
  return await Promise.all([measureOne(first, ms), measureOne(second, ms)]);
}

async function measureOne({ fleet, load }: Pair, ms: number): Promise<Phase> {
  const cpu = async (): Promise<number> => {
    if (process.platform !== 'linux') return Number.NaN;
    const times = await Promise.all(fleet.workers.map(({ pid }) => cpuTime(pid)));
    return times.reduce((sum, time) => sum + time, 0);
  };
  const [cpuBefore, completedBefore] = [await cpu(), load.completed];
  const rate = await load.rate(ms);
  return { rate, cpuMs: ((await cpu()) - cpuBefore) / (load.completed - completedBefore) };
}

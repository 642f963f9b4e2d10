import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import type { Checks } from '../checks.ts';
import { KEY, startFleet, startServices } from '../fleet.ts';
import type { Load } from '../load.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { openStore } from '../stores.ts';

const SLOW_MS = 2_000;

/** The ways in which Cloud KMS is away: it does not answer, it answers UNAVAILABLE, or each call takes 2 s. */
const troubles: readonly (readonly [name: string, begin: (emulator: Emulator) => void])[] = [
  ['does not answer', (emulator) => emulator.injectFault({ effect: { kind: 'hang' } })],
  [
    'answers errors',
    (emulator) => {
      emulator.clearFaults();
      emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    },
  ],
  [
    'takes 2 s a call',
    (emulator) => {
      emulator.setLatency({ all: SLOW_MS, methods: {} });
      emulator.clearFaults();
    },
  ],
  ['after', (emulator) => emulator.setLatency({ all: 0, methods: {} })],
];

/**
 * The troubles follow one another without a gap, so the outage lasts for three times `seconds`. A second fleet with its own
 * Cloud KMS has the same load at the same time and no outage: the machine and Temporal become slower and faster for both, so
 * the first fleet's share of the completions is compared, not its rate.
 */
export async function outage(checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, keyLifetimeMs, keptThroughput } = options;
  const services = await startServices();
  const { closers, emulator } = services;
  try {
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
    // Half of the load for each.
    const loads = [first, second].map((fleet) => fleet.load().start(Math.ceil(inFlight / 2)));
    await Promise.all(loads.map((load) => load.warm()));
    checks.progress('before the outage');
    const before = await rates(loads, seconds * 1_000);
    checks.figure(
      '| Cloud KMS | workflows per second | without outage | share, of before |\n|---|---|---|---|',
    );
    const row = (name: string, [rate, other]: Rates) => {
      const share = rate / other / (before[0] / before[1]);
      checks.figure(`| ${name} | ${rate.toFixed(1)} | ${other.toFixed(1)} | ${share.toFixed(2)} |`);
      return share;
    };
    row('before', before);
    for (const [name, begin] of troubles) {
      checks.progress(`Cloud KMS: ${name}`);
      begin(emulator);
      const share = row(name, await rates(loads, seconds * 1_000));
      checks.check(
        `throughput, ${name}: at least ${keptThroughput} of before`,
        share >= keptThroughput,
        share.toFixed(2),
      );
    }
    await Promise.all(loads.map((load) => load.stop()));
    checks.progress('reading all histories');
    const report = await first.report();
    checks.nothingFailed(report);
    checks.nothingRepeated(report);
  } finally {
    await services.close();
  }
}

type Rates = readonly [fleet: number, control: number];

async function rates([first, second]: readonly Load[], ms: number): Promise<Rates> {
  const [rate = 0, other = 0] = await Promise.all([first?.rate(ms), second?.rate(ms)]);
  return [rate, other];
}

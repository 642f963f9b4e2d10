import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuTime, mean, range } from '@temporal-kms/scripts/figures';
import { type Fleet, startFleet, startServices } from './chaos/fleet.ts';
import type { FleetCodec } from './chaos/settings.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '60' },
    'in-flight': { type: 'string', default: '40' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/workflows.bench.ts [--rounds 3] [--seconds 10] [--warm-up 60] [--in-flight 40]\n' +
      "Runs the same workflows with the codec, with a copy of the SDK's encryption sample, with a codec that only calls the\n" +
      'cipher, and without a codec, in turn: a child, three activities, a timer. Compares workflows per second and the CPU\n' +
      'time of the workers per workflow, after --warm-up seconds of each; then once more with new processes, in the other\n' +
      'order. --rounds is the number of rounds in each order. Needs Linux.',
  );
  process.exit(0);
}
const measuredMs = Number(values.seconds) * 1_000;
const warmUpMs = Number(values['warm-up']) * 1_000;

/** A codec and its results, per round. */
interface Program {
  readonly codec: FleetCodec;
  readonly rates: number[];
  /** CPU time of the workers in ms per workflow. */
  readonly cpu: number[];
}

const codecs: readonly FleetCodec[] = ['kms', 'sample', 'cipher', 'none'];
const programs: readonly Program[] = codecs.map((codec) => ({ codec, rates: [], cpu: [] }));
// The processes that start first use up to a tenth more CPU time than those that start last, with the same codec.
for (const order of [programs, programs.toReversed()]) await measureInTurn(order);
console.log(
  `${values.rounds} rounds of ${values.seconds} s in each order, ${values['in-flight']} workflows in flight; ` +
    'min / median / max; ratios of means\n\n' +
    '| | encrypted | SDK sample | cipher alone | no codec | encrypted : no codec | sample : no codec | cipher : no codec |\n' +
    '|---|---|---|---|---|---|---|---|\n' +
    row(
      'workflows per second',
      programs.map(({ rates }) => rates),
    ) +
    row(
      'CPU time per workflow, ms',
      programs.map(({ cpu }) => cpu),
    ),
);

/** Starts a fleet for each codec, warms all of them, and measures them in turn. */
async function measureInTurn(order: readonly Program[]): Promise<void> {
  const stacks: { close(): Promise<void> }[] = [];
  const fleets: (Program & { readonly fleet: Fleet })[] = [];
  try {
    for (const program of order) {
      const services = await startServices();
      stacks.push(services);
      const fleet = services.closers.use(
        await startFleet(services, { codec: program.codec, keyLifetimeMs: 300_000 }),
      );
      fleets.push({ ...program, fleet });
    }
    // V8 compiles functions that run often, on other threads: a worker that has just started spends more on that than on
    // its payloads.
    for (const { fleet } of fleets) await round(fleet, warmUpMs);
    for (let n = 0; n < Number(values.rounds); n += 1) {
      for (const { fleet, rates, cpu } of n % 2 === 0 ? fleets : fleets.toReversed()) {
        const result = await round(fleet, measuredMs);
        rates.push(result.rate);
        cpu.push(result.cpu);
      }
      console.error(`${order.map(({ codec }) => codec).join(', ')}: round ${n + 1} of ${values.rounds}`);
    }
  } finally {
    for (const stack of stacks) await stack.close();
  }
}

async function round(fleet: Fleet, ms: number): Promise<{ rate: number; cpu: number }> {
  const cpu = async (): Promise<number> => {
    const times = await Promise.all(fleet.workers.map(({ pid }) => cpuTime(pid)));
    return times.reduce((sum, time) => sum + time, 0);
  };
  const load = fleet.load().start(Number(values['in-flight']));
  await sleep(1_000);
  const before = await cpu();
  const completedBefore = load.completed;
  const rate = await load.rate(ms);
  const completed = load.completed - completedBefore;
  const used = (await cpu()) - before;
  await load.stop();
  return { rate, cpu: used / completed };
}

/** @param figures of each fleet, in the order of `codecs` */
function row(name: string, figures: readonly (readonly number[])[]): string {
  const plain = mean(figures.at(-1) ?? []);
  const ratios = figures.slice(0, -1).map((of) => (mean(of) / plain).toFixed(2));
  return `| ${[name, ...figures.map((of) => range(of, 1)), ...ratios].join(' | ')} |\n`;
}

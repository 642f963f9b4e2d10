import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuTime, mean, range, residentMemory } from '@temporal-kms/scripts/figures';
import { type Fleet, startFleet, startServices } from '../test/chaos/fleet.ts';
import type { FleetCodec, Role } from '../test/chaos/settings.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '60' },
    'in-flight': { type: 'string', default: '40' },
    codec: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});

/** The compared codecs, and their names in the table. */
const compared = {
  kms: 'encrypted',
  sample: 'SDK sample',
  cipher: 'cipher alone',
} as const satisfies Partial<Record<FleetCodec, string>>;
type Compared = keyof typeof compared;
const isCompared = (name: string): name is Compared => Object.hasOwn(compared, name);

const names = values.codec ?? Object.keys(compared);
const codecs = names.filter(isCompared);
if (values.help || codecs.length < names.length) {
  console.log(
    'node bench/workflows.bench.ts [--codec kms|sample|cipher] [--rounds 3] [--seconds 10] [--warm-up 60] [--in-flight 40]\n' +
      "Runs the same workflows (a child, three activities, a timer) with the codec, with a copy of the SDK's encryption\n" +
      'sample, and with a codec that only calls the cipher, each next to the same workflows without a codec. Compares\n' +
      "workflows per second and the workers' CPU time per workflow, in alternating rounds, each program after --warm-up\n" +
      'seconds; then again with new processes that start in the other order. --rounds is the number of rounds in each\n' +
      'order. NODE_OPTIONS applies to the workers. Needs Linux.',
  );
  process.exit(values.help ? 0 : 64);
}
const measuredMs = Number(values.seconds) * 1_000;
const warmUpMs = Number(values['warm-up']) * 1_000;

/** A codec and its results, one per round. */
interface Program {
  readonly codec: FleetCodec;
  readonly rates: number[];
  /** CPU time of the workers in ms per workflow. */
  readonly cpu: number[];
  /** The workers' memory after the last round. There is an entry for each order in which the fleets were started. */
  readonly memory: Memory[];
}

/** Resident memory of the workers in MiB, and the number of workflows that they executed. */
interface Memory {
  readonly workflows: number;
  readonly resident: Readonly<Partial<Record<Role, number>>>;
}

const rows: string[] = [];
const memory: string[] = [];
for (const codec of codecs) {
  // Only two programs run at a time. More programs would compete for two processors, which favors the program
  // that started last.
  const pair = ([codec, 'none'] as const).map((of): Program => ({
    codec: of,
    rates: [],
    cpu: [],
    memory: [],
  }));
  await measureInTurn(pair);
  await measureInTurn(pair.toReversed());
  rows.push(row(compared[codec], pair));
  memory.push(...pair.map(memoryOf));
}
console.log(
  `${values.rounds} rounds of ${values.seconds} s in each order, ${values['in-flight']} workflows in flight; ` +
    'min / median / max; ratios of means\n\n' +
    '| | workflows/s | without a codec | ratio | CPU ms per workflow | without a codec | ratio |\n' +
    '| --- | --- | --- | --- | --- | --- | --- |\n' +
    `${rows.join('\n')}\n\n` +
    'Resident memory of the workers in MiB, at the end of each order:\n' +
    memory.join('\n'),
);

/** Starts a fleet for each codec, warms up all fleets, and measures them in turn. */
async function measureInTurn(programs: readonly Program[]): Promise<void> {
  const stacks: { close(): Promise<void> }[] = [];
  const fleets: (Program & { readonly fleet: Fleet; workflows: number })[] = [];
  try {
    for (const program of programs) {
      const services = await startServices();
      stacks.push(services);
      const fleet = services.closers.use(
        await startFleet(services, {
          codec: program.codec,
          keyLifetimeMs: 300_000,
          env: { NODE_OPTIONS: process.env['NODE_OPTIONS'] },
        }),
      );
      fleets.push({ ...program, fleet, workflows: 0 });
    }
    // Warms up the fleets, because a new worker spends more CPU time on V8's background compilation of hot
    // functions than on its payloads.
    for (const one of fleets) one.workflows += (await round(one.fleet, warmUpMs)).workflows;
    for (let n = 0; n < Number(values.rounds); n += 1) {
      for (const one of n % 2 === 0 ? fleets : fleets.toReversed()) {
        const { rate, cpu, workflows } = await round(one.fleet, measuredMs);
        one.rates.push(rate);
        one.cpu.push(cpu);
        one.workflows += workflows;
      }
      console.error(`${programs.map(({ codec }) => codec).join(', ')}: round ${n + 1} of ${values.rounds}`);
    }
    for (const { fleet, memory: of, workflows } of fleets)
      of.push({ workflows, ...(await residentOf(fleet)) });
  } finally {
    for (const stack of stacks) await stack.close();
  }
}

async function residentOf({ workers }: Fleet): Promise<Pick<Memory, 'resident'>> {
  const entries = workers.map(async ({ role, pid }) => [role, (await residentMemory(pid)).now] as const);
  return { resident: Object.fromEntries(await Promise.all(entries)) };
}

async function round(fleet: Fleet, ms: number): Promise<{ rate: number; cpu: number; workflows: number }> {
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
  return { rate, cpu: used / completed, workflows: load.completed };
}

function memoryOf({ codec, memory: measured }: Program): string {
  const texts = measured.map(
    ({ workflows, resident: { workflows: ofWorkflows = NaN, activities = NaN } }) =>
      `${ofWorkflows.toFixed(0)} (workflow tasks) and ${activities.toFixed(0)} (activity tasks) after ${workflows} workflows`,
  );
  return `${codec}: ${texts.join('; ')}`;
}

/** Returns the table row that compares workflows with a codec to the same workflows without one. */
function row(name: string, pair: readonly Program[]): string {
  const rates = cells(pair.map((program) => program.rates));
  const cpu = cells(pair.map((program) => program.cpu));
  return `| ${[name, ...rates, ...cpu].join(' | ')} |`;
}

function cells([own = [], plain = []]: readonly (readonly number[])[]): string[] {
  return [range(own, 1), range(plain, 1), (mean(own) / mean(plain)).toFixed(2)];
}

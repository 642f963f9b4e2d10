import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuTime, median, range } from '@temporal-kms/scripts/figures';
import { type Fleet, startFleet } from './chaos/fleet.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '10' },
    'in-flight': { type: 'string', default: '40' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/workflows.bench.ts [--rounds 7] [--seconds 10] [--in-flight 40]\n' +
      'Runs the same workflows with and without the codec, in turn: a child, three activities, a timer. Compares workflows\n' +
      'per second and the CPU time of the workers per workflow. Needs Linux. --rounds must be odd.',
  );
  process.exit(0);
}
const ms = Number(values.seconds) * 1_000;

/** The results of one fleet, per round. */
interface Results {
  readonly fleet: Fleet;
  readonly rates: number[];
  /** CPU time of the workers in ms per workflow. */
  readonly cpu: number[];
}

const fleets: Results[] = [];
try {
  for (const encrypted of [true, false]) {
    fleets.push({ fleet: await startFleet({ encrypted, keyLifetimeMs: 300_000 }), rates: [], cpu: [] });
  }
  for (const { fleet } of fleets) await round(fleet);
  for (let n = 0; n < Number(values.rounds); n += 1) {
    for (const { fleet, rates, cpu } of n % 2 === 0 ? fleets : fleets.toReversed()) {
      const result = await round(fleet);
      rates.push(result.rate);
      cpu.push(result.cpu);
    }
  }
  const [encrypted, plain] = fleets;
  console.log(
    `${values.rounds} rounds of ${values.seconds} s, ${values['in-flight']} workflows in flight; min / median / max\n\n` +
      '| | encrypted | plaintext | ratio of medians |\n|---|---|---|---|\n' +
      row('workflows per second', encrypted?.rates ?? [], plain?.rates ?? []) +
      row('CPU time per workflow, ms', encrypted?.cpu ?? [], plain?.cpu ?? []),
  );
} finally {
  for (const { fleet } of fleets) await fleet.close();
}

async function round(fleet: Fleet): Promise<{ rate: number; cpu: number }> {
  const cpu = async (): Promise<number> => {
    const times = await Promise.all(fleet.workers.map(({ pid }) => cpuTime(pid)));
    return times.reduce((sum, time) => sum + time, 0);
  };
  const load = fleet.load(Number(values['in-flight']));
  await sleep(1_000);
  const before = await cpu();
  const completed = await load.run(ms);
  const used = (await cpu()) - before;
  await load.stop();
  return { rate: (completed * 1_000) / ms, cpu: used / completed };
}

function row(name: string, encrypted: readonly number[], plain: readonly number[]): string {
  const ratio = median(encrypted) / median(plain);
  return `| ${name} | ${range(encrypted, 1)} | ${range(plain, 1)} | ${ratio.toFixed(2)} |\n`;
}

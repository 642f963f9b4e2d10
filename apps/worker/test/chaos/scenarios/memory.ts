import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '@temporal-kms/scripts/figures';
import type { Checks } from '../checks.ts';
import { type Fleet, startFleet, startServices } from '../fleet.ts';
import type { Load } from '../load.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { type Memory, type Role, roles } from '../settings.ts';
import { openStore } from '../stores.ts';

/**
 * Maximum growth of memory: the last quarter's median divided by the second quarter's. If memory also grows without
 * a codec, this factor is multiplied by that growth.
 */
const FLAT = 1.05;
const IN_FLIGHT = 40;
/** Number of samples per quarter. The number must be odd (see `median`). */
const SAMPLES_PER_QUARTER = 5;
const MiB = 2 ** 20;

/**
 * Measures the memory of a worker of each role after a garbage collection, while workflows complete and keys
 * are continually replaced. A second fleet without a codec does the same at the same time. The second fleet
 * shows how much resident memory Temporal's SDK and the allocator add. The fleet with the codec may grow by
 * 5 % more than the second fleet.
 */
export async function memory(
  checks: Checks,
  { workflows, keyLifetimeMs, store: kind }: ScenarioOptions,
): Promise<void> {
  await using services = await startServices();
  const { closers } = services;
  const store = closers.use(await openStore(kind));
  const fleet = closers.use(await startFleet(services, { processes: 1, keyLifetimeMs, env: store.env }));
  const plain = closers.use(
    await startFleet(services, { processes: 1, codec: 'none', taskQueue: 'plaintext' }),
  );
  const [encrypted, plaintext] = await Promise.all([
    observe(fleet, workflows, (completed) => checks.progress(`${completed} workflows`)),
    observe(plain, workflows),
  ]);
  checks.figure(
    '| MiB after a garbage collection, median of a quarter | 1st | 2nd | 3rd | 4th | 4th : 2nd |\n|---|---|---|---|---|---|',
  );
  for (const role of roles) {
    for (const [name, of] of kinds) {
      const [ours, others] = [encrypted, plaintext].map(({ samples }) => quarters(samples[role].map(of)));
      if (!ours || !others) throw new RangeError('Two fleets are compared');
      checks.figure(`| ${name}, ${role} | ${cells(ours)} |`);
      checks.figure(`| ${name}, ${role}, without a codec | ${cells(others)} |`);
      const allowed = FLAT * Math.max(1, growth(others));
      checks.check(
        `memory is flat (${name} of ${role}): last quarter at most ${allowed.toFixed(3)} of the second`,
        growth(ours) <= allowed,
        growth(ours).toFixed(3),
      );
    }
  }
  const { load } = encrypted;
  const reasons = new Set(load.failures);
  checks.check(
    'no workflow failed',
    load.failures.length === 0,
    [String(load.failures.length), ...reasons].join('; '),
  );
  checks.check('workflows complete', load.completed === workflows, String(load.completed));
}

interface Observed {
  readonly load: Load;
  readonly samples: Readonly<Record<Role, readonly Memory[]>>;
}

/** Runs the workflows, and takes samples at equal intervals. */
async function observe(
  fleet: Fleet,
  workflows: number,
  onQuarter?: (completed: number) => void,
): Promise<Observed> {
  const load = fleet.load('payment').start(Math.min(IN_FLIGHT, workflows), workflows);
  const samples: Record<Role, Memory[]> = { workflows: [], activities: [] };
  const total = 4 * SAMPLES_PER_QUARTER;
  for (let number = 1; number <= total; number += 1) {
    while (load.completed + load.failures.length < (number / total) * workflows) await sleep(20);
    for (const worker of fleet.workers) samples[worker.role].push(await worker.memory());
    if (number % SAMPLES_PER_QUARTER === 0) onQuarter?.(load.completed);
  }
  await load.finished();
  return { load, samples };
}

/** Returns the median of each quarter, in MiB. */
const quarters = (values: readonly number[]): number[] =>
  [0, 1, 2, 3].map(
    (quarter) =>
      median(values.slice(quarter * SAMPLES_PER_QUARTER, (quarter + 1) * SAMPLES_PER_QUARTER)) / MiB,
  );

const growth = ([, second = Number.NaN, , fourth = Number.NaN]: readonly number[]): number => fourth / second;

const cells = (values: readonly number[]): string =>
  [...values.map((value) => value.toFixed(1)), growth(values).toFixed(3)].join(' | ');

const kinds: readonly (readonly [name: string, of: (memory: Memory) => number])[] = [
  ['heap', ({ heapUsed, external }) => heapUsed + external],
  ['RSS', ({ rss }) => rss],
];

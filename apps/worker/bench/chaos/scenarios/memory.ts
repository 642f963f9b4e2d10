import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '@temporal-kms/scripts/figures';
import type { Checks } from '../checks.ts';
import { startFleet, startServices } from '../fleet.ts';
import type { ScenarioOptions } from '../scenario.ts';
import type { Memory } from '../settings.ts';
import { openStore } from '../stores.ts';

/** The median of the last quarter of the run may be above that of the second by this factor. */
const FLAT = 1.05;
const IN_FLIGHT = 40;
/** An odd number, see `median`. */
const SAMPLES_PER_QUARTER = 5;
const MiB = 2 ** 20;

/** Memory of a worker of each role after a garbage collection, while workflows complete, and keys are replaced all the while. */
export async function memory(
  checks: Checks,
  { workflows, keyLifetimeMs, store: kind }: ScenarioOptions,
): Promise<void> {
  const services = await startServices();
  const { closers } = services;
  try {
    const store = closers.use(await openStore(kind));
    const fleet = closers.use(await startFleet(services, { processes: 1, keyLifetimeMs, env: store.env }));
    const load = fleet.load('payment').start(Math.min(IN_FLIGHT, workflows), workflows);
    const samples = fleet.workers.map((): Memory[] => []);
    const total = 4 * SAMPLES_PER_QUARTER;
    for (let number = 1; number <= total; number += 1) {
      while (load.completed + load.failures.length < (number / total) * workflows) await sleep(20);
      for (const [index, worker] of fleet.workers.entries()) samples[index]?.push(await worker.memory());
      if (number % SAMPLES_PER_QUARTER === 0) checks.progress(`${load.completed} workflows`);
    }
    await load.finished();
    checks.figure(
      '| MiB after a garbage collection, median of a quarter | 1st | 2nd | 3rd | 4th | 4th : 2nd |\n|---|---|---|---|---|---|',
    );
    for (const [index, worker] of fleet.workers.entries()) {
      for (const [name, of] of kinds) {
        const values = (samples[index] ?? []).map(of);
        const quarters = [0, 1, 2, 3].map((quarter) =>
          median(values.slice(quarter * SAMPLES_PER_QUARTER, (quarter + 1) * SAMPLES_PER_QUARTER)),
        );
        const ratio = (quarters[3] ?? Number.NaN) / (quarters[1] ?? Number.NaN);
        const cells = quarters.map((value) => (value / MiB).toFixed(1));
        checks.figure(`| ${name}, ${worker.role} | ${cells.join(' | ')} | ${ratio.toFixed(3)} |`);
        checks.check(
          `memory is flat (${name} of ${worker.role}): last quarter at most ${FLAT} of the second`,
          ratio <= FLAT,
          ratio.toFixed(3),
        );
      }
    }
    const reasons = new Set(load.failures);
    checks.check(
      'no workflow failed',
      load.failures.length === 0,
      [String(load.failures.length), ...reasons].join('; '),
    );
    checks.check('workflows complete', load.completed === workflows, String(load.completed));
  } finally {
    await services.close();
  }
}

const kinds: readonly (readonly [name: string, of: (memory: Memory) => number])[] = [
  ['heap', ({ heapUsed, external }) => heapUsed + external],
  ['RSS', ({ rss }) => rss],
];

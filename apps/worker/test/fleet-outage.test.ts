import { describe, it } from 'vitest';
import { join } from '../bench/chaos/scenarios/join.ts';
import { limit } from '../bench/chaos/scenarios/limit.ts';
import { outage } from '../bench/chaos/scenarios/outage.ts';
import { expectKept } from './support/chaos.ts';

/*
 * Workflow tasks and activity tasks in separate processes: every payload is read by another process than its writer's.
 * `pnpm bench chaos` runs these scenarios for longer.
 */
describe('a fleet without Cloud KMS', () => {
  // Every key is due for replacement and revalidation in the outage.
  it(
    'completes workflows and repeats nothing, although the outage is longer than the lifetime of all keys',
    () => expectKept(outage, { processes: 2, seconds: 12 }),
    300_000,
  );

  it(
    'works while new processes wait for Cloud KMS, and answers queries and updates',
    () => expectKept(join),
    300_000,
  );

  it(
    'stops polling at the hard limit, fails nothing, and continues when Cloud KMS answers',
    () => expectKept(limit),
    300_000,
  );
});

import { it } from 'vitest';
import { outage } from '../bench/chaos/scenarios/outage.ts';
import { expectKept } from './support/chaos.ts';

/*
 * Workflow tasks and activity tasks in separate processes: every payload is read by another process than its writer's. Every
 * key is due for replacement and revalidation in the outage. `pnpm test:long` makes more kinds of trouble.
 */
it(
  'a fleet without Cloud KMS completes workflows and repeats nothing, although the outage is longer than the lifetime of all keys',
  () => expectKept(outage, { processes: 2, seconds: 12 }),
  300_000,
);

import { describe, it } from 'vitest';
import { join } from './chaos/scenarios/join.ts';
import { kill } from './chaos/scenarios/kill.ts';
import { limit } from './chaos/scenarios/limit.ts';
import { outage } from './chaos/scenarios/outage.ts';
import { revoke } from './chaos/scenarios/revoke.ts';
import { store } from './chaos/scenarios/store.ts';
import { expectKept } from './support/chaos.ts';

/* `pnpm bench chaos` runs these scenarios for longer, `pnpm test` an outage of one worker: outage.test.ts. */
describe('a fleet', () => {
  // Every payload is read by another process than its writer's. Every key is due for replacement and revalidation in the outage.
  it(
    'without Cloud KMS completes workflows and repeats nothing, although the outage outlasts all keys',
    () => expectKept(outage, { processes: 2, seconds: 12 }),
    300_000,
  );

  it(
    'works while new processes wait for Cloud KMS, and answers queries and updates',
    () => expectKept(join),
    300_000,
  );

  it(
    'stops polling at the hard limit of an outage, fails nothing, and continues when Cloud KMS answers',
    () => expectKept(limit),
    300_000,
  );

  it(
    'loses nothing when workers, Cloud KMS and Temporal are killed in turn',
    () => expectKept(kill, { processes: 2, seconds: 4 }),
    400_000,
  );

  it(
    'follows a rotation, and stops polling while its key is disabled or its role is removed',
    () => expectKept(revoke, { store: 'file' }),
    400_000,
  );

  it(
    'fails nothing while its branch-key store is gone, not permitted, corrupted or rolled back',
    () => expectKept(store, { store: 'file', keyLifetimeMs: 12_000 }),
    400_000,
  );
});

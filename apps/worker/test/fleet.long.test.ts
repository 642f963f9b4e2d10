import { describe, it } from 'vitest';
import { join } from './chaos/scenarios/join.ts';
import { kill } from './chaos/scenarios/kill.ts';
import { limit } from './chaos/scenarios/limit.ts';
import { outage } from './chaos/scenarios/outage.ts';
import { revoke } from './chaos/scenarios/revoke.ts';
import { store } from './chaos/scenarios/store.ts';
import { expectKept } from './support/chaos.ts';

/* `pnpm bench chaos` runs these scenarios for longer. outage.test.ts tests an outage with one worker. */
describe('a fleet', () => {
  // No process reads its own payloads, and every key is due for replacement and revalidation during the
  // outage.
  it(
    'completes workflows without re-executing anything during a Cloud KMS outage in which every key is due for replacement',
    () => expectKept(outage, { processes: 2, seconds: 12 }),
    300_000,
  );

  it(
    'keeps working, and answers queries and updates, while new processes wait for Cloud KMS',
    () => expectKept(join),
    300_000,
  );

  it(
    'stops polling when an outage reaches the hard limit, fails no workflow, and continues when Cloud KMS answers',
    () => expectKept(limit),
    300_000,
  );

  it(
    'loses nothing when workers, Cloud KMS and Temporal are killed in turn',
    () => expectKept(kill, { processes: 2, seconds: 4 }),
    400_000,
  );

  it(
    'encrypts under the new version after a rotation, and stops polling while its key is disabled or its role is removed',
    () => expectKept(revoke, { store: 'file' }),
    400_000,
  );

  it(
    'fails no workflow while its branch-key store is missing, inaccessible, corrupted or rolled back',
    () => expectKept(store, { store: 'file', keyLifetimeMs: 12_000 }),
    400_000,
  );
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type FleetReport, startFleet } from '../bench/chaos/fleet.ts';
import { outage, type Throughput, troubles } from '../bench/chaos/outage.ts';

/*
 * Workflow tasks and activity tasks in separate processes, whose keys last for 20 s: every payload is read by another
 * process than its writer's, and every key is due for replacement and revalidation during the outage.
 * They share their branch keys: without a store, a process cannot read what another has written under a key that is younger
 * than a moment when the outage begins. `pnpm bench chaos` runs it for longer.
 */
describe('an outage of Cloud KMS that is longer than the lifetime of all keys', () => {
  let store: string;
  let fleet: Fleet;
  let throughput: Throughput;
  let report: FleetReport;

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'branch-keys-'));
    const env = { KMS_BRANCH_KEYS: `file:${store}` };
    fleet = await startFleet({ processes: 2, keyLifetimeMs: 20_000, env });
    const load = fleet.load(20);
    await load.run(3_000);
    throughput = await outage(fleet, load, 12_000);
    await load.stop();
    report = await fleet.report();
  }, 240_000);
  afterAll(async () => {
    await fleet?.close();
    await rm(store, { recursive: true, force: true });
  });

  it('fails no workflow and no workflow task, ends no worker, and repeats no activity', () => {
    expect(report).toEqual({
      completed: expect.any(Number),
      failed: 0,
      clientErrors: 0,
      rerun: 0,
      taskFailures: 0,
      deadWorkers: 0,
    });
    expect(report.completed).toBeGreaterThan(100);
  });

  it.each(troubles)('lets workflows complete all the while (%s)', (trouble) => {
    expect(throughput[trouble]).toBeGreaterThan(0);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type FleetReport, startFleet } from '../bench/chaos/fleet.ts';
import { outage, type Throughput, troubles } from '../bench/chaos/outage.ts';

/*
 * Workflow tasks and activity tasks in separate processes, whose data keys last for 10 s: every payload is read by another
 * process than its writer's, and every key is due for replacement and revalidation during the outage.
 * `pnpm bench chaos` runs it for longer.
 */
describe('an outage of Cloud KMS that is longer than the lifetime of all keys', () => {
  let fleet: Fleet;
  let throughput: Throughput;
  let report: FleetReport;

  beforeAll(async () => {
    fleet = await startFleet({ processes: 2, keyLifetimeMs: 10_000 });
    const load = fleet.load(20);
    await load.run(3_000);
    throughput = await outage(fleet, load, 12_000);
    await load.stop();
    report = await fleet.report();
  }, 240_000);
  afterAll(async () => {
    await fleet?.close();
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

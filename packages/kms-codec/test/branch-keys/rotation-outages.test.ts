import { describe, expect, it, vi } from 'vitest';
import { branchOf, context, distinct, fleetOf, hour, minute, outageAfterNextKey } from '../support/fleet.ts';

describe('a fleet at the time of a rotation', () => {
  it('does not rotate during a Cloud KMS outage that starts after the next key was stored', async () => {
    const fleet = fleetOf(5, { limits: { revalidateMs: 5 * minute } });
    const late = await outageAfterNextKey(fleet, 0.75 * hour);
    for (let m = 0; m < 60; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(5);
    }
    fleet.keyService.failing = undefined;
    const before = branchOf((await fleet.encrypt())[0]!);
    // Attempts in flight retry after up to 2 s of real time.
    await vi.waitFor(
      async () => {
        await fleet.pass(minute);
        const messages = await fleet.encrypt();
        expect(distinct(messages.map(branchOf))).toBe(1);
        expect(branchOf(messages[0]!)).not.toBe(before);
      },
      { timeout: 20_000, interval: 200 },
    );
  });

  it('does not rotate during a Cloud KMS outage, even if the current key reaches its soft age before the next key may encrypt', async () => {
    const fleet = fleetOf(3);
    const late = await outageAfterNextKey(fleet, 0.85 * hour);
    for (let m = 0; m < 12; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      expect(await late.decode(messages, context)).toHaveLength(3);
    }
  });

  it('reads all its processes’ messages if a Cloud KMS outage of an hour begins right after startup', async () => {
    const fleet = fleetOf(20);
    await fleet.encrypt();
    fleet.keyService.failing = 'kms_unavailable';
    let failures = 0;
    for (let m = 0; m < 60; m += 1) {
      await fleet.pass(minute);
      const messages = await fleet.encrypt();
      for (const codec of fleet.codecs) await codec.decode(messages, context).catch(() => (failures += 1));
    }
    expect(failures).toBe(0);
  });
});

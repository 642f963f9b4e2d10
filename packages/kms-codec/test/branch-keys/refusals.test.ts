import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import type { BranchKeyStore } from '../../src/branch-keys/store.ts';
import { json } from '../support/codec.ts';
import { AwaitableStore, context, fleetOf, MemoryStore, minute } from '../support/fleet.ts';

/*
 * Tests in which Cloud KMS refuses a fleet's key again and again. A process that may not decrypt must not be
 * ready.
 */

const codes = ['key_disabled', 'permission_denied'] as const;

const stores = {
  'no store': () => undefined,
  'a store in memory': () => new MemoryStore(),
  'a directory': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'refusals-'));
    const close = () => rm(folder, { recursive: true, force: true });
    return Object.assign(new AwaitableStore(new FileBranchKeyStore(join(folder, 'store'))), { close });
  },
} satisfies Record<string, () => BranchKeyStore | undefined | Promise<BranchKeyStore | undefined>>;

it.each(Object.entries(stores))(
  'a fleet with %s notices each refusal of the same branch key within 5 min, and the end of each refusal within 30 s',
  async (_, open) => {
    const store = await open();
    const fleet = fleetOf(2, { branchKeyStore: store, waitMs: { activity: 20_000, other: 20_000 } });
    // The clock must not advance before the processes have read and written the directory.
    const settled = async () => {
      if (store instanceof AwaitableStore) await store.settle();
    };
    const pass = async (milliseconds: number) => {
      for (let passed = 0; passed < milliseconds; passed += 15_000) {
        await fleet.pass(15_000);
        await settled();
      }
    };
    const encrypt = async () => {
      const encoded = fleet.codecs.map((codec) => codec.encode([json('x')], context));
      const results = await Promise.allSettled(encoded);
      await settled();
      return results.map(({ status }) => status);
    };
    const states = () => fleet.codecs.map((codec) => codec.keyState('pay').autonomySeconds > 0);
    expect(await encrypt()).toEqual(['fulfilled', 'fulfilled']);
    for (const code of [...codes, ...codes]) {
      for (let m = 0; m < 6; m += 1) {
        await pass(minute);
        expect(await encrypt()).toEqual(['fulfilled', 'fulfilled']);
        expect(states()).toEqual([true, true]);
      }
      fleet.keyService.failing = code;
      for (let m = 0; m < 5; m += 1) {
        await encrypt();
        await pass(minute);
      }
      expect(await encrypt()).toEqual(['rejected', 'rejected']);
      expect(states()).toEqual([false, false]);
      fleet.keyService.failing = undefined;
      await pass(minute / 2);
      // A process without a key waits for a key, as a worker does.
      for (const codec of fleet.codecs) await codec.warm('pay');
      expect(states()).toEqual([true, true]);
    }
    await store?.close();
  },
  60_000,
);

it('reports a process as not ready within 5 min after a refusal starts, in whatever order refusals start and end', async () => {
  const phase = fc.record({
    code: fc.constantFrom(undefined, ...codes),
    minutes: fc.integer({ min: 1, max: 80 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(phase, { minLength: 2, maxLength: 6 }),
      fc.boolean(),
      async (phases, isShared) => {
        const fleet = fleetOf(2, isShared ? {} : { branchKeyStore: undefined });
        const messages = await fleet.encrypt();
        let refused = 0;
        for (const { code, minutes } of phases) {
          fleet.keyService.failing = code;
          if (code === undefined) refused = 0;
          for (let m = 0; m < minutes; m += 1) {
            await fleet.pass(minute);
            if (code !== undefined) refused += 1;
            for (const codec of fleet.codecs) {
              const isReady = codec.keyState('pay').autonomySeconds > 0;
              const decoded = await codec.decode([...messages], context).then(
                () => true,
                () => false,
              );
              const encoded = await codec.encode([json('x')], context).then(
                () => true,
                () => false,
              );
              if (refused > 5) expect([isReady, decoded, encoded]).toEqual([false, false, false]);
              if (code === undefined && m > 1)
                expect([isReady, decoded, encoded]).toEqual([true, true, true]);
            }
          }
        }
      },
    ),
    {
      numRuns: 6,
      // The code of this refusal changes before Cloud KMS has unwrapped any key for the process.
      examples: [
        [
          [
            { code: 'key_disabled', minutes: 4 },
            { code: 'permission_denied', minutes: 4 },
          ],
          false,
        ],
      ],
    },
  );
}, 120_000);

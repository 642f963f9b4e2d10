/* A fleet that shares branch keys in fake-gcs-server. The server stops, and restarts without its objects. */
import { type GcsServer, startGcs } from '@temporal-kms/scripts/gcs';
import { afterAll, expect, it, vi } from 'vitest';
import { GcsBranchKeyStore } from '../../src/branch-keys/gcs-store.ts';
import { KmsCodec, KeyRules, type Observer } from '../../src/index.ts';
import { json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { branchOf, context, hour, minute, rules } from '../support/fleet.ts';

let gcs: GcsServer | undefined;
afterAll(async () => {
  await gcs?.close();
});

it('shares a branch key in a bucket, continues while the bucket is unavailable, and shares again afterwards', async () => {
  gcs = await startGcs();
  await gcs.createBucket('keys');
  const clock = { time: 1_790_000_000_000 };
  const keyService = new FakeKeyService();
  const events: string[] = [];
  const observer: Observer = {
    branchKeyStoreFailed: ({ operation, code }) => void events.push(`${operation} ${code}`),
    branchKeyStoreRecovered: ({ operation }) => void events.push(`${operation} works`),
  };
  const start = () =>
    new KmsCodec({
      rules: new KeyRules(rules),
      keyService,
      observer,
      now: () => clock.time,
      branchKeyStore: new GcsBranchKeyStore({ bucket: 'keys', prefix: 'fleet', apiEndpoint: gcs!.url }),
    });
  const codecs = [start(), start(), start(), start()];
  const branches = async () =>
    new Set(
      await Promise.all(
        codecs.map(async (codec) => branchOf((await codec.encode([json('x')], context))[0]!)),
      ),
    );
  /** Lets time pass until all processes have the same branch key. */
  const agree = async () => {
    clock.time += minute / 2;
    for (const codec of codecs) codec.maintain();
    expect((await branches()).size).toBe(1);
  };
  // If the server responds too late to a process's first request, the process shares its key later.
  await vi.waitFor(agree, { timeout: 60_000, interval: 200 });
  const [first] = await branches();

  const port = Number(new URL(gcs.url).port);
  await gcs.close();
  clock.time += 0.8 * hour;
  expect(await branches()).toEqual(new Set([first]));
  codecs.push(start());
  await vi.waitFor(() => expect(events).toContain('load unavailable'), { timeout: 30_000 });
  expect((await branches()).size).toBe(2);

  gcs = await startGcs(port);
  await gcs.createBucket('keys');
  const count = (name: string) => events.filter((event) => event === name).length;
  await vi.waitFor(
    async () => {
      await agree();
      expect(count('load works')).toBe(count('load unavailable'));
    },
    { timeout: 60_000, interval: 200 },
  );
  await Promise.all(codecs.map((codec) => codec.close()));
}, 300_000);

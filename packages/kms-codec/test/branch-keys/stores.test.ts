import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GcsServer, startGcs } from '@temporal-kms/scripts/gcs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { GcsBranchKeyStore } from '../../src/branch-keys/gcs-store.ts';
import { ABSENT, type BranchKeyStore, branchKeyId } from '../../src/branch-keys/store.ts';
import { cryptoKey } from '../support/codec.ts';

let gcs: GcsServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  gcs = await startGcs();
  await gcs.createBucket('keys');
}, 300_000);
afterAll(async () => {
  await gcs?.close();
  await rm(folder, { recursive: true, force: true });
});

const text = (value: string) => new TextEncoder().encode(value);
const textOf = (value: Uint8Array | undefined) => value && new TextDecoder().decode(value);
let ids = 0;
const newId = () => branchKeyId(cryptoKey('k'), `namespace ${(ids += 1)}`);

describe.each<[string, () => BranchKeyStore]>([
  ['file:', () => new FileBranchKeyStore(join(folder, 'store'))],
  [
    'gs:// (fake-gcs-server)',
    () => new GcsBranchKeyStore({ bucket: 'keys', prefix: 'a/b', apiEndpoint: gcs.url }),
  ],
])('the store %s', (_, open) => {
  it('returns nothing for a value that does not exist', async () => {
    expect(await open().load(newId())).toBeUndefined();
  });

  it('returns the new value after a replacement with the expected generation', async () => {
    const [store, id] = [open(), newId()];
    expect(await store.replace(id, text('one'), ABSENT)).toBe(true);
    const first = await store.load(id);
    expect(textOf(first?.value)).toBe('one');
    expect(await store.replace(id, text('two'), first!.generation)).toBe(true);
    const second = await open().load(id);
    expect(textOf(second?.value)).toBe('two');
    expect(second?.generation).not.toBe(first?.generation);
  });

  // [B-5]
  it('does not replace a value that another process has created or replaced in the meantime', async () => {
    const [store, id] = [open(), newId()];
    await store.replace(id, text('one'), ABSENT);
    const { generation } = (await store.load(id))!;
    expect(await store.replace(id, text('late'), ABSENT)).toBe(false);
    await store.replace(id, text('two'), generation);
    expect(await store.replace(id, text('late'), generation)).toBe(false);
    expect(textOf((await store.load(id))?.value)).toBe('two');
  });

  it('does not recreate a value that was removed after the caller loaded it', async () => {
    const id = newId();
    expect(await open().replace(id, text('late'), '5')).toBe(false);
    expect(await open().load(id)).toBeUndefined();
  });

  // [B-5]
  it('lets exactly one of 20 concurrent writers succeed, in every round', async () => {
    const id = newId();
    const stores = Array.from({ length: 20 }, open);
    for (let round = 0; round < 10; round += 1) {
      const generation = (await stores[0]!.load(id))?.generation ?? ABSENT;
      const won = await Promise.all(
        stores.map((store, n) => store.replace(id, text(`${round}/${n}`), generation)),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(textOf((await stores[0]!.load(id))?.value)).toBe(`${round}/${won.indexOf(true)}`);
    }
  });

  it('keeps the values of different ids separate', async () => {
    const store = open();
    const [a, b] = [newId(), newId()];
    await store.replace(a, text('a'), ABSENT);
    await store.replace(b, text('b'), ABSENT);
    expect([textOf((await store.load(a))?.value), textOf((await store.load(b))?.value)]).toEqual(['a', 'b']);
  });

  it('returns a value of 8 KiB whole', async () => {
    const [store, id] = [open(), newId()];
    await store.replace(id, new Uint8Array(8192), ABSENT);
    expect((await store.load(id))?.value).toHaveLength(8192);
  });

  it('returns only slightly more than 8 KiB of an oversized value that another program wrote', async () => {
    const [store, id] = [open(), newId()];
    await store.replace(id, new Uint8Array(1_000_000), ABSENT);
    const { value, generation } = (await store.load(id))!;
    expect(value.length).toBeLessThanOrEqual(8193);
    expect(await store.replace(id, text('small'), generation)).toBe(true);
  });
});

describe('the store gs://', () => {
  it('reports a missing bucket on a write', async () => {
    const store = new GcsBranchKeyStore({ bucket: 'other', prefix: '', apiEndpoint: gcs.url });
    await expect(store.replace(newId(), text('x'), ABSENT)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('reports a server that does not respond', async () => {
    const store = new GcsBranchKeyStore({ bucket: 'keys', prefix: '', apiEndpoint: 'http://127.0.0.1:9' });
    await expect(store.load(newId())).rejects.toMatchObject({ code: 'unavailable' });
  });
});

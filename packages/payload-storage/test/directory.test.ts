import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryDriver } from '../src/directory-driver.ts';
import { type ListedObject, ObjectStorage, parseStorageReference, readStorageFile } from '../src/index.ts';
import { reference } from './support/references.ts';

const signal = new AbortController().signal;
const payload: Payload = {
  metadata: { encoding: Buffer.from('binary/encrypted') },
  data: Buffer.alloc(300_000, 'x'),
};
const size = proto.temporal.api.common.v1.Payload.encode(payload).finish().length;
const target = { kind: 'workflow', namespace: 'orders', type: 'Order', id: 'a/../b', runId: 'run' } as const;

let folder: string;
let driver: DirectoryDriver;
let storage: ObjectStorage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'payload-storage-'));
  driver = new DirectoryDriver({ path: join(folder, 'objects'), bucket: 'local' });
  await writeFile(
    join(folder, 'storage.yaml'),
    'namespaces:\n  orders:\n    - type: directory\n      bucket: local\n      path: objects\n...\n',
  );
  storage = new ObjectStorage(readStorageFile(join(folder, 'storage.yaml')));
});

afterEach(() => rm(folder, { recursive: true }));

/** Stores the payload, and returns its location and its file. */
async function store(namespace = 'orders', id: string = target.id) {
  const [claim] = await driver.store({ target: { ...target, namespace, id } }, [payload]);
  const found = parseStorageReference(reference(claim!.claimData, driver.name, size));
  return { claim: claim!, found, path: join(folder, 'objects', found.object) };
}

async function listed(namespace: string) {
  const objects: ListedObject[] = [];
  for await (const object of storage.list(namespace, { signal })) objects.push(object);
  return objects;
}

/** Returns a message field whose content is the same bytes, repeated 40,000 times. */
const fieldOf = (tag: number, content: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from([tag, 0x80, 0xf1, 0x04]), Buffer.alloc(80_000, Buffer.from(content))]);

/** Returns a payload with this many metadata entries. */
const having = (entries: number): Payload => ({
  metadata: Object.fromEntries(Array.from({ length: entries }, (_, n) => [`k${n}`, Buffer.from('v')])),
  data: Buffer.from('x'),
});

const located = async () => storage.locate('orders', (await store()).found);

describe('a payload in a directory', () => {
  it('is returned unchanged by the driver and by the reader', async () => {
    const { claim, found } = await store();
    expect(await driver.retrieve({}, [claim])).toMatchObject([payload]);
    const object = storage.locate('orders', found);
    const progress: number[] = [];
    const read = await storage.read(object, { signal, onProgress: (bytes) => progress.push(bytes) });
    expect(Buffer.compare(read.data!, payload.data!)).toBe(0);
    expect(progress.at(-1)).toBeGreaterThan(300_000);
    expect(object.name).toBe(
      `directory://local/v0/ns/orders/wt/Order/wi/a%2F..%2Fb/ri/run/d/sha256/${found.sha256}`,
    );
    expect((await storage.readStart(object, 16, { signal })).bytes.length).toBe(16);
  });

  it('has a name below its namespace even if the workflow’s id is too long for a file name', async () => {
    const { found } = await store('orders', 'i'.repeat(400));
    expect(found.object).toBe(`v0/ns/orders/d/sha256/${found.sha256}`);
    expect(await storage.read(storage.locate('orders', found), { signal })).toMatchObject(payload);
  });

  it('is listed only for its namespace, and unfinished files are not listed', async () => {
    const { path } = await store();
    await store('payments');
    await rename(path, `${path}.unfinished`);
    await store('orders', 'other');
    const objects = await listed('orders');
    expect(objects.map(({ object }) => object.object)).toEqual([expect.stringContaining('/wi/other/')]);
    expect(objects[0]!.sizeBytes).toBeGreaterThan(300_000);
    expect(await storage.read(objects[0]!.object, { signal })).toMatchObject(payload);
    expect(await listed('payments')).toEqual([]);
  });

  it('can be read only in its own namespace', async () => {
    const { found } = await store('payments');
    expect(() => storage.locate('orders', found)).toThrow(
      expect.objectContaining({ code: 'storage_not_allowed' }),
    );
    expect(() => storage.locate('payments', found)).toThrow(
      expect.objectContaining({ code: 'external_reference' }),
    );
  });

  it('is reported as storage_not_found if its file was removed', async () => {
    const object = await located();
    await rm(join(folder, 'objects', object.object));
    await expect(storage.read(object, { signal })).rejects.toMatchObject({ code: 'storage_not_found' });
    await expect(storage.readStart(object, 9, { signal })).rejects.toMatchObject({
      code: 'storage_not_found',
    });
  });

  it.each([
    ['another content', (path: string) => writeFile(path, 'other')],
    ['a part of its content', (path: string) => truncate(path, 1000)],
    ['no content', (path: string) => truncate(path)],
  ])('is reported as altered if its file has %s', async (_, change) => {
    const object = await located();
    await change(join(folder, 'objects', object.object));
    await expect(storage.read(object, { signal })).rejects.toMatchObject({ code: 'storage_altered' });
  });

  it.each([
    ['is not a payload', 'storage_altered', Buffer.from('no payload')],
    ['contains data twice', 'storage_altered', Buffer.from('120161120162', 'hex')],
    ['contains metadata after the data', 'storage_altered', Buffer.from('1201610a00', 'hex')],
    ['repeats a field in a metadata entry', 'too_large', fieldOf(0x0a, [0x0a, 0x00])],
    ['repeats an unknown field in an external payload', 'too_large', fieldOf(0x1a, [0x18, 0x00])],
    ['repeats an unknown field', 'too_large', fieldOf(0x22, [0x18, 0x00])],
  ])('is refused if its file has the right hash but %s', async (_, code, bytes) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const { found, path } = await store();
    const object = found.object.replace(found.sha256, sha256);
    await writeFile(path.replace(found.sha256, sha256), bytes);
    const altered = storage.locate('orders', { ...found, object, sha256 });
    await expect(storage.read(altered, { signal })).rejects.toMatchObject({ code });
  });

  it('may have 64 metadata entries', async () => {
    const claims = await driver.store({ target }, [having(64), having(65)]);
    await expect(driver.retrieve({}, claims.slice(0, 1))).resolves.toMatchObject([
      { data: Buffer.from('x') },
    ]);
    await expect(driver.retrieve({}, claims)).rejects.toMatchObject({ code: 'too_large' });
  });

  it('is refused if its file is a symbolic link that leads out of the directory', async () => {
    const { found, path } = await store();
    const outside = join(folder, 'outside');
    await writeFile(outside, await readFile(path));
    await rm(path);
    await symlink(outside, path);
    await expect(storage.read(storage.locate('orders', found), { signal })).rejects.toMatchObject({
      code: 'storage_unavailable',
    });
  });

  it('is not read by the driver from outside the directory', async () => {
    const { claim, path } = await store();
    await writeFile(join(folder, 'outside'), await readFile(path));
    for (const file of ['../outside', 'v0/../../outside', '../../../../../../etc/passwd', '..']) {
      const outside = { claimData: { ...claim.claimData, file } };
      await expect(driver.retrieve({}, [outside])).rejects.toMatchObject({ code: 'storage_unavailable' });
    }
  });

  it('is refused if its path contains a symbolic link to another namespace’s objects', async () => {
    const { found, path } = await store();
    const foreign = await store('payments');
    await rm(path);
    await symlink(foreign.path, path);
    const object = storage.locate('orders', found);
    await expect(storage.read(object, { signal })).rejects.toMatchObject({ code: 'storage_unavailable' });
    const namespaces = join(folder, 'objects/v0/ns');
    await rm(join(namespaces, 'orders'), { recursive: true });
    await symlink(join(namespaces, 'payments'), join(namespaces, 'orders'));
    await expect(storage.read(object, { signal })).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('is not listed through a symbolic link to another namespace’s objects', async () => {
    await store('payments');
    const namespaces = join(folder, 'objects/v0/ns');
    await symlink(join(namespaces, 'payments'), join(namespaces, 'orders'));
    await expect(listed('orders')).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('is not listed if its file or its workflow’s folder is deleted during the listing', async () => {
    const payloads = [payload, { metadata: {}, data: Buffer.from('other') }];
    for (const id of ['a', 'b']) await driver.store({ target: { ...target, id } }, payloads);
    const listing = storage.list('orders', { signal });
    expect((await listing.next()).done).toBe(false);
    await rm(join(folder, 'objects/v0/ns/orders'), { recursive: true });
    expect((await listing.next()).done).toBe(true);
  });

  it('is read even if the directory itself is a symbolic link', async () => {
    const { found } = await store();
    await rename(join(folder, 'objects'), join(folder, 'moved'));
    await symlink(join(folder, 'moved'), join(folder, 'objects'));
    expect(await storage.read(storage.locate('orders', found), { signal })).toMatchObject(payload);
  });

  it.each([
    ['is missing', () => Promise.resolve()],
    ['is a file', () => writeFile(join(folder, 'objects'), '')],
    ['is empty', () => mkdir(join(folder, 'objects'))],
  ])(
    'is reported as storage_unavailable, and not as storage_not_found, if the directory itself %s',
    async (_, replace) => {
      const object = await located();
      await rename(join(folder, 'objects'), join(folder, 'moved'));
      await replace();
      for (const operation of [
        () => storage.read(object, { signal }),
        () => storage.readStart(object, 9, { signal }),
        () => listed('orders'),
      ])
        await expect(operation()).rejects.toMatchObject({ code: 'storage_unavailable' });
    },
  );

  it('is refused if it exceeds the size limit', async () => {
    const object = await located();
    await expect(storage.read(object, { signal, maxBytes: 299_999 })).rejects.toMatchObject({
      code: 'too_large',
    });
  });

  it('is reported as altered if it is larger than its reference states, whatever the limit', async () => {
    const { found } = await store();
    const smaller = storage.locate('orders', { ...found, sizeBytes: BigInt(size - 1) });
    for (const maxBytes of [undefined, size, size - 1])
      await expect(storage.read(smaller, { signal, maxBytes })).rejects.toMatchObject({
        code: 'storage_altered',
      });
    const unstated = storage.locate('orders', { ...found, sizeBytes: 0n });
    expect(await storage.read(unstated, { signal })).toMatchObject(payload);
  });

  it('is not read after the caller has aborted', async () => {
    const object = await located();
    const reason = new Error('gone');
    await expect(storage.read(object, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('leaves no unfinished file behind', async () => {
    const { path } = await store();
    expect(await readdir(join(path, '..'))).toHaveLength(1);
  });
});

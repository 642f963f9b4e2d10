import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ObjectStorage, type StorageConfiguration, type Store } from '@temporal-kms/payload-storage';
import type { Payload } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { compareObjects, type UnusedObject } from '../../src/objects/compare-objects.ts';
import { jsonLine, nameLine } from '../../src/objects/object-list.ts';
import { ReferredObjects } from '../../src/objects/referred-objects.ts';
import { summaryOfPayload } from '../../src/scan/history-summary.ts';
import { temporaryFolder } from '../support/cli.ts';
import { BUCKET, hashOf, referenceTo } from '../support/stored.ts';

const STARTED = new Date('2030-01-31T12:00:00Z');
const LONG_AGO = new Date('2029-06-01T00:00:00Z');
const content = Buffer.from('stored');
const HASH = hashOf(content);

/**
 * Returns a directory from which each namespace may read only the objects whose names start with the namespace's
 * prefixes.
 */
async function startBucket(prefixes: Record<string, readonly string[]>) {
  const path = await temporaryFolder();
  const storeOf = (paths: readonly string[]): Store => ({
    type: 'directory',
    bucket: BUCKET,
    driverName: 'temporal-kms.directory',
    prefixes: paths,
    path,
  });
  const configured: StorageConfiguration['namespaces'] = new Map(
    Object.entries(prefixes).map(([namespace, paths]) => [namespace, [storeOf(paths)]]),
  );
  const storage = new ObjectStorage({ namespaces: configured });
  const found = new ReferredObjects(storage);
  return {
    found,
    /** Stores an object. @returns its name */
    put: async (folder: string, modified = LONG_AGO): Promise<string> => {
      const object = `${folder}/d/sha256/${HASH}`;
      await mkdir(dirname(join(path, object)), { recursive: true });
      await writeFile(join(path, object), content);
      await utimes(join(path, object), modified, modified);
      return object;
    },
    /** Makes a history in a namespace refer to an object. */
    refer: (
      namespace: string,
      object: string,
      more: { place?: 'open'; workflowId?: string; runId?: string; size?: number; bucket?: string } = {},
    ) => {
      const payload: Payload = referenceTo({ object, bytes: content, ...more }, more.bucket);
      const history = { workflowId: more.workflowId ?? `of-${namespace}`, runId: more.runId ?? 'r' };
      return found.in(namespace).resolve(summaryOfPayload(payload), more.place ?? 'closed', history);
    },
    compare: async (...scanned: string[]) => {
      const unused: UnusedObject[] = [];
      const onUnused = (one: UnusedObject): void => void unused.push(one);
      const compared = await compareObjects({
        storage,
        configured,
        scanned,
        found,
        started: STARTED,
        onUnused,
      });
      return {
        ...compared,
        list: unused.map(({ object }) => object.object),
        lines: unused.map(nameLine),
        unused,
      };
    },
  };
}

const prefix = 'v0/ns/orders/wt/t/wi';

describe('storage', () => {
  it('reports an object as unused if the object is old enough and no history refers to it', async () => {
    const bucket = await startBucket({ orders: ['v0/ns/orders/'] });
    const used = await bucket.put(`${prefix}/used/ri/r1`);
    const old = await bucket.put(`${prefix}/old/ri/r2`);
    await bucket.put(`${prefix}/new/ri/r3`, new Date('2030-01-31T12:00:01Z'));
    await bucket.put(`${prefix}/delayed/ri/r4`, new Date('2030-01-31T11:00:00Z'));
    const before = await bucket.put(`${prefix}/before/ri/r5`, new Date('2030-01-31T10:59:59Z'));
    // A reference that states a wrong size still names the object.
    await bucket.refer('orders', used, { size: 1 });
    const { list, referred, unclear, gone } = await bucket.compare('orders');
    expect(list.toSorted()).toEqual([before, old]);
    expect([referred.objects, unclear.recent.objects, gone]).toEqual([1, 2, []]);
  });

  it('never reports an object as unused if its run is open, or if another namespace may refer to it', async () => {
    const bucket = await startBucket({ orders: ['v0/'], payments: ['v0/ns/shared/'] });
    const used = await bucket.put(`${prefix}/a/ri/open-1`);
    await bucket.refer('orders', used, { place: 'open', runId: 'open-1' });
    await bucket.put(`${prefix}/b/ri/open-1`);
    await bucket.put('v0/ns/billing/wt/t/wi/c/ri/r');
    await bucket.put('v0/ns/shared/wt/t/wi/d/ri/r');
    await bucket.put('v0');
    const first = await bucket.compare('orders', 'shared');
    expect([first.list, first.unclear.open_workflow.objects, first.unclear.other_namespace.objects]).toEqual([
      [],
      1,
      3,
    ]);
    // `payments` may read the objects of `shared`. Once `payments` is scanned too, these objects are unused.
    const all = await bucket.compare('orders', 'shared', 'payments');
    expect(all.list).toEqual([`v0/ns/shared/wt/t/wi/d/ri/r/d/sha256/${HASH}`]);
  });

  it('never reports an object as unused if an open workflow may refer to it again', async () => {
    const bucket = await startBucket({ orders: ['v0/ns/orders/'] });
    // The name of a signal's object contains no run id, and a name that would be too long contains no
    // workflow id.
    for (const folder of [`${prefix}/a%2Fb/ri/null`, `${prefix}/a%2Fb/ri/closed`, 'v0/ns/orders'])
      await bucket.put(folder);
    const other = await bucket.put(`${prefix}/b/ri/null`);
    const used = await bucket.put(`${prefix}/c/ri/r`);
    await bucket.refer('orders', used, { place: 'open', workflowId: 'a/b' });
    const { list, unclear } = await bucket.compare('orders');
    expect([list, unclear.open_workflow.objects]).toEqual([[other], 3]);
  });

  it('counts an object only once, and as used if a history of any scanned namespace refers to it', async () => {
    const bucket = await startBucket({ orders: ['v0/ns/orders/'], payments: ['v0/ns/'] });
    const object = await bucket.put(`${prefix}/a/ri/r`);
    await bucket.refer('payments', object);
    await bucket.refer('orders', object);
    const { referred, list } = await bucket.compare('orders', 'payments');
    expect([referred, list]).toEqual([expect.objectContaining({ objects: 1, bytes: content.length }), []]);
    expect([...bucket.found.objects.values()].map(({ histories }) => histories)).toEqual([2]);
  });

  it('recognizes objects that Temporal’s Go driver stored in Cloud Storage, although its claims look like claims for S3', async () => {
    const object = `${prefix}/a/ri/r/d/sha256/${HASH}`;
    const store: Store = { type: 'gcs', bucket: BUCKET, driverName: 'archive', prefixes: ['v0/ns/orders/'] };
    const found = new ReferredObjects(new ObjectStorage({ namespaces: new Map([['orders', [store]]]) }));
    const claimData = { bucket: BUCKET, key: object, hash_algorithm: 'sha256', hash_value: HASH };
    const data = Buffer.from(JSON.stringify({ driverName: 'archive', claimData }));
    const reference = { ...referenceTo({ object, bytes: content }), data };
    await found.in('orders').resolve(summaryOfPayload(reference), 'closed', { workflowId: 'w' });
    expect([...found.objects.values()].map(({ name }) => name)).toEqual([`gs://${BUCKET}/${object}`]);
  });

  it.each(['arn:aws:s3:eu-central-1:123456789012:accesspoint/payloads', 'payloads-x1y2-s3alias', 'Payloads'])(
    'never reports an object as unused if a history refers to it in %s, which may be another name of its bucket',
    async (alias) => {
      const bucket = await startBucket({ orders: ['v0/ns/orders/'], payments: ['v0/ns/payments/'] });
      const used = await bucket.put(`${prefix}/used/ri/r`);
      const other = await bucket.put(`${prefix}/other/ri/r`);
      for (const namespace of ['orders', 'payments']) await bucket.refer(namespace, used, { bucket: alias });
      const { list, unclear, gone, notPermitted } = await bucket.compare('orders', 'payments');
      expect([list, unclear.other_bucket.objects, gone]).toEqual([[other], 1, []]);
      expect(notPermitted).toMatchObject([{ name: `directory://${alias}/${used}`, histories: 2 }]);
    },
  );

  it('distinguishes missing objects from objects that it may not read', async () => {
    const bucket = await startBucket({ orders: ['v0/ns/orders/'] });
    await bucket.put(`${prefix}/unused/ri/r`);
    await bucket.refer('orders', `${prefix}/gone/ri/r/d/sha256/${HASH}`);
    await bucket.refer('orders', `v0/ns/payments/wt/t/wi/w/ri/r/d/sha256/${HASH}`);
    const { gone, notPermitted } = await bucket.compare('orders');
    expect([gone, notPermitted]).toMatchObject([
      [{ name: expect.stringContaining('/gone/'), workflowId: 'of-orders', runId: 'r', histories: 1 }],
      [{ name: expect.stringContaining('/payments/') }],
    ]);
  });

  it('writes no name that a program could mistake for another name', async () => {
    const bucket = await startBucket({ orders: ['v0/ns/orders/'] });
    const ids = ['a b', 'a%2Fb', 'a\u2028b', 'a\u202eb', 'a*', 'a?', 'a#1', 'a[1]', 'a\u00a0b'];
    for (const id of ids) await bucket.put(`${prefix}/${id}/ri/r`);
    // The results leave out a name with a line break.
    await bucket.put(`${prefix}/a\nb/ri/r`);
    const { lines, unused } = await bucket.compare('orders');
    expect(unused).toHaveLength(ids.length);
    expect(lines.filter((line) => line !== undefined).toSorted()).toEqual(
      ['a b', 'a%2Fb'].map((id) => `directory://${BUCKET}/${prefix}/${id}/ri/r/d/sha256/${HASH}\n`),
    );
    for (const one of unused) {
      const line = jsonLine(one);
      expect([line.split('\n').length, JSON.parse(line)]).toEqual([
        2,
        { ...JSON.parse(line), type: 'directory', bytes: content.length, modified: LONG_AGO.toISOString() },
      ]);
    }
  });
});

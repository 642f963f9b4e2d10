import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { describe, expect, it } from 'vitest';
import type { ServedStorage } from '../../src/storage/retrieval.ts';
import { forFile } from '../support/for-file.ts';
import { signaled, temporalWith } from '../support/planted-run.ts';
import { RUN } from '../support/routes.ts';
import { appWith, bodyOf, keys, type Payload, plain, post, startKms } from '../support/stack.ts';
import { createStorage } from '../support/storage.ts';

// The attacker can write to the store or to Temporal, and changes the object or the reference of a payload in
// the run `w`.
const CANARY = 'canary-5e1d7';
/** The text is longer than the chunks in which files are read. */
const TEXT = CANARY + 'x'.repeat(2 ** 20);

const kms = forFile(
  await startKms({ payments: { encrypt: keys.payments }, orders: { encrypt: keys.orders } }),
);
const store = createStorage();
/** Called when the first bytes of an object have arrived. */
const onFirstBytes = new Map<string, () => void>();
const storage: ServedStorage = {
  objects: {
    locate: store.storage.objects.locate,
    readStart: store.storage.objects.readStart,
    read: async (object, options) =>
      store.storage.objects.read(object, {
        ...options,
        onProgress: (bytes) => {
          onFirstBytes.get(object.object)?.();
          options.onProgress?.(bytes);
        },
      }),
  },
};

let count = 0;
/**
 * Stores an object in the namespace `at`, by default the message's own. The default message belongs to the
 * run `w` in `payments`.
 */
async function put({ namespace = 'payments', workflowId = 'w', at = '' } = {}): Promise<Payload> {
  count += 1;
  const context = { type: 'workflow', namespace, workflowId } as const;
  const [message] = await kms.codec.encode([plain(`${TEXT}${count}`)], context);
  return await store.put(message!, { namespace: at || namespace });
}

async function changed(change: (file: string) => Promise<void> | void): Promise<Payload> {
  const reference = await put();
  await change(store.fileOf(reference));
  return reference;
}

const cases: readonly (readonly [string, string, () => Promise<Payload>])[] = [
  ['deleted', 'storage_not_found', () => changed((file) => rmSync(file))],
  [
    'altered in one byte',
    'storage_altered',
    () =>
      changed((file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 1]! ^= 1;
        writeFileSync(file, bytes);
      }),
  ],
  ['truncated', 'storage_altered', () => changed((file) => truncateSync(file, 2 ** 19))],
  [
    'overwritten with another object of the run',
    'storage_altered',
    () => changed(async (file) => copyFileSync(store.fileOf(await put()), file)),
  ],
  [
    'overwritten with an object of another namespace',
    'storage_altered',
    () => changed(async (file) => copyFileSync(store.fileOf(await put({ namespace: 'orders' })), file)),
  ],
  [
    'replaced during a read',
    'storage_altered',
    async () => {
      const reference = await put();
      const file = store.fileOf(reference);
      const other = readFileSync(store.fileOf(await put()));
      const { file: name } = JSON.parse(String(reference.data)).claimData;
      // Overwrites the file in place. If the file were truncated during a read, the store would count as
      // unavailable, and the read would be repeated.
      onFirstBytes.set(name, () => writeFileSync(file, other, { flag: 'r+' }));
      return reference;
    },
  ],
  ['exchanged for an object of another namespace', 'storage_not_allowed', () => put({ namespace: 'orders' })],
  [
    'exchanged for a message of another namespace',
    'namespace_mismatch',
    () => put({ namespace: 'orders', at: 'payments' }),
  ],
  ['exchanged for a message of another workflow', 'workflow_mismatch', () => put({ workflowId: 'other' })],
];

const asked = async (payload: Payload, path: string, body: object): Promise<string> => {
  const app = appWith(kms, { storage, temporal: temporalWith([signaled(1, payload)]) });
  return await (await post(app, path, body)).text();
};

const readers: Readonly<Record<string, (payload: Payload) => Promise<string>>> = {
  'payloads:decode': (payload) => asked(payload, `${RUN}/payloads:decode`, { refs: ['1:0'] }),
  'history:search': (payload) => asked(payload, `${RUN}/history:search`, { text: CANARY }),
  'a decoded export': (payload) => asked(payload, `${RUN}/history:export`, { form: 'decoded' }),
  'a readable export': (payload) => asked(payload, `${RUN}/history:export`, { form: 'readable' }),
  '/decode': async (payload) =>
    await (
      await post(appWith(kms, { storage }), '/decode', bodyOf([payload]), { 'x-namespace': 'payments' })
    ).text(),
};

const codes = [...new Set(cases.map(([, code]) => code))];
const codesIn = (text: string): string[] =>
  codes.filter((code) => text.includes(code) || text.includes(Buffer.from(code).toString('base64')));

describe.each(Object.entries(readers))('%s', (reader, read) => {
  it.each(
    // Requests of the codec protocol name no workflow.
    cases.filter(([, code]) => reader !== '/decode' || code !== 'workflow_mismatch'),
  )('shows nothing of an object that was %s, but returns %s', async (_, code, make) => {
    const text = await read(await make());
    expect([codesIn(text), leaksIn(text, [CANARY])]).toEqual([[code], []]);
  });

  it('shows an object that was not changed', async () => {
    const text = await read(await put());
    expect(codesIn(text)).toEqual([]);
    expect(leaksIn(text, [CANARY])).not.toEqual([]);
  });
});

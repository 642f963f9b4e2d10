import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNode } from '@temporal-kms/testing/process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseEntry } from '../../src/branch-keys/entry.ts';
import { FileBranchKeyStore } from '../../src/branch-keys/file-store.ts';
import { branchKeyId } from '../../src/branch-keys/store.ts';
import { parseHeader } from '../../src/formats/envelope-v2-header.ts';
import { KmsCodec, KeyRules } from '../../src/index.ts';
import { InMemoryKeyService } from '../../src/keys/in-memory-key-service.ts';
import { cryptoKey, json, valueOf } from '../support/codec.ts';
import { AwaitableStore, hour, minute } from '../support/fleet.ts';

/* Real processes that share branch keys in a directory. */

const program = join(import.meta.dirname, 'support/process.ts');
const context = { namespace: 'pay' };
let folder: string;
let directory: string;
let wrappingKey: Buffer;
let store: AwaitableStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  directory = join(folder, 'store');
  wrappingKey = randomBytes(32);
  store = new AwaitableStore(new FileBranchKeyStore(directory));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const codecAt = (now: () => number) =>
  new KmsCodec({
    rules: new KeyRules({}, { encrypt: cryptoKey('k') }),
    keyService: new InMemoryKeyService(wrappingKey),
    branchKeyStore: store,
    now,
  });

const messagesIn = (output: string): Uint8Array[] =>
  [...output.matchAll(/"message":"([^"]+)"/g)].map(([, text]) => Buffer.from(text!, 'base64'));
const asPayload = (data: Uint8Array) => ({
  metadata: { encoding: Buffer.from('binary/envelope-kms-v2') },
  data,
});
const branchOf = (data: Uint8Array) => Buffer.from(parseHeader(data).header.wrappedKey).toString('hex');

it('lets six processes agree on each key, update the store without losses, and read all messages', async () => {
  const start = join(folder, 'start');
  const running = Array.from({ length: 6 }, () =>
    startNode(program, { args: [directory, wrappingKey.toString('hex'), 'run', start] }),
  );
  const areReady = () => expect(running.map((one) => one.stdout())).toEqual(Array(6).fill('{"ready":1}\n'));
  await vi.waitFor(areReady, { timeout: 120_000 });
  await writeFile(start, '');
  expect(await Promise.all(running.map(({ ended }) => ended))).toEqual(Array(6).fill(0));
  const outputs = running.map((one) => one.stdout());
  const messages = outputs.flatMap(messagesIn);
  expect(messages.length).toBeGreaterThan(60);

  const reader = codecAt(Date.now);
  const decoded = await reader.decode(messages.map(asPayload), context);
  expect(new Set(decoded.map(valueOf))).toEqual(new Set(['x']));
  await reader.close();

  // Without the store, there would be 24 keys or more: four for each process.
  const keys = new Set(messages.map(branchOf));
  expect(keys.size).toBeGreaterThanOrEqual(3);
  expect(keys.size).toBeLessThanOrEqual(12);
  const won = outputs.flatMap((output) => [...output.matchAll(/"won"/g)]).length;
  const generations = (await readdir(directory)).map((name) => Number(name.split('.')[1]));
  expect(Math.max(...generations)).toBe(won);
});

/** Returns the number of keys in the directory's newest entry. */
async function storedKeys(): Promise<number> {
  const stored = await new FileBranchKeyStore(directory).load(branchKeyId(cryptoKey('k'), 'pay'));
  const { next } = parseEntry(stored!.value);
  return next ? 2 : 1;
}

const steps = [
  'after it has read the store',
  'after Cloud KMS has wrapped the key',
  'before it has linked the new file',
  'after it has linked the new file',
  'after it has written the store',
];

describe.each(['start', 'rotation'])('a process that is killed during its %s', (phase) => {
  it.each(steps)(
    '%s does not prevent other processes from getting the next key',
    async (step) => {
      let time = 1_790_000_000_000;
      // In the case of a rotation, these processes have been encrypting since before it.
      const others = [1, 2, 3].map(() => codecAt(() => time));
      const isRotation = phase === 'rotation';
      const encryptAll = async () =>
        await Promise.all(others.map(async (codec) => (await codec.encode([json('y')], context))[0]!.data!));
      const messages = isRotation ? await encryptAll() : [];

      const killed = startNode(program, {
        args: [directory, wrappingKey.toString('hex'), String(time), step],
        env: { ROTATE: isRotation ? '1' : undefined },
      });
      expect(await killed.ended).toBe('SIGKILL');
      messages.push(...messagesIn(killed.stdout()));

      if (isRotation) {
        expect(new Set(messages.map(branchOf)).size).toBe(1);
        time += 0.75 * hour;
      }
      messages.push(...(await encryptAll()));
      // The clock must not advance before the processes have read and written the directory.
      const maintain = async () => {
        for (const codec of others) codec.maintain();
        await store.settle();
      };
      await maintain();
      expect(await storedKeys()).toBeGreaterThanOrEqual(isRotation ? 2 : 1);
      for (let m = 0; m < 20; m += 1) {
        time += minute;
        await maintain();
      }
      const after = await encryptAll();
      expect(new Set(after.map(branchOf)).size).toBe(1);
      if (isRotation) expect(branchOf(after[0]!)).not.toBe(branchOf(messages[0]!));
      const reader = codecAt(() => time);
      for (const codec of [...others, reader]) {
        const decoded = await codec.decode([...messages, ...after].map(asPayload), context);
        expect(decoded).toHaveLength(messages.length + after.length);
      }
    },
    120_000,
  );
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import { leaksIn, newCanary } from '@temporal-kms/testing/canaries';
import { encodingOf, payloadsIn, rawText, textOf } from '@temporal-kms/testing/history';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { runPriceList } from '../src/shop/run-price-list.ts';
import { catalogue } from '../src/starter/catalogue.ts';
import { databaseCells } from './support/database.ts';
import { filesIn, storagePlugin } from './support/external-storage.ts';
import { readEverything } from './support/history.ts';
import {
  compiledSamples,
  kmsSettings,
  namespace,
  startStack,
  taskQueue,
  type Stack,
} from './support/stack.ts';

/**
 * The name is 600 KiB long, so that the input, the activities' arguments and their results all exceed the
 * threshold.
 */
const name = newCanary();
const supplier = `${name} `.repeat(20_000);

describe('external storage with the codec', () => {
  let stack: Stack;
  let dir: string;
  let storage: DirectoryDriver;
  let result: unknown;
  const storedPayloads = async () =>
    (await filesIn(dir)).map((bytes) => proto.temporal.api.common.v1.Payload.decode(bytes));

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    dir = await mkdtemp(join(tmpdir(), 'external-storage-'));
    storage = new DirectoryDriver({ path: dir, bucket: 'test' });
    const plugin = storagePlugin(storage);
    stack = await startStack({ encrypted: true, plugins: [plugin] });
    const codec = createKmsCodec(kmsSettings(stack.kmsAddress), { namespace });
    const plugins = [plugin, new KmsCodecPlugin(codec)];
    const client = new Client({ connection: stack.connection, namespace, plugins });
    const input = { supplier, articles: 1 };
    const handle = await catalogue['price-list'].start(client, { workflowId: 'prices', taskQueue, input });
    result = await handle.result();
    await codec.close();
  });
  afterAll(async () => {
    await stack?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('gives the client and the worker the plaintext', () => {
    expect(result).toBe(`1 prices of ${supplier} are valid`);
  });

  it('stores references in the history, and ciphertext under the namespace’s keys in the store', async () => {
    const { events } = await stack.clients.get('plain').workflow.getHandle('prices').fetchHistory();
    const references = payloadsIn(events).filter(
      (payload) => stack.codec?.inspect(payload, { namespace }).reason === 'external_reference',
    );
    const stored = await storedPayloads();
    expect(references.length).toBeGreaterThanOrEqual(4);
    expect(stored.length).toBeGreaterThanOrEqual(4);
    expect(new Set(stored.map(encodingOf))).toEqual(new Set(['binary/envelope-kms-v2']));
  });

  it('leaves no plaintext in the store or in Temporal', async () => {
    for (const bytes of await filesIn(dir)) expect(leaksIn(bytes.toString('latin1'), [name])).toEqual([]);
    const inTemporal = await readEverything(stack.connection, { executions: 1 });
    expect(inTemporal.filter(({ value }) => rawText(value).includes(name))).toEqual([]);
    expect(databaseCells(stack.dbFile).includes(name)).toBe(false);
  });

  it('lets another process decrypt an object that it fetched itself', async () => {
    const codec = createKmsCodec(kmsSettings(stack.kmsAddress), { namespace });
    const texts = (await codec.decode(await storedPayloads(), { namespace })).map(textOf);
    expect(texts).toContain(JSON.stringify({ supplier, articles: 1 }));
    await codec.close();
  });

  it('lets a replay worker read the history with its objects', async () => {
    const history = await stack.clients.get('plain').workflow.getHandle('prices').fetchHistory();
    const codec = createKmsCodec(kmsSettings(stack.kmsAddress), { namespace });
    await Worker.runReplayHistory(
      {
        workflowBundle: (await compiledSamples()).workflowBundle,
        plugins: [storagePlugin(storage), new KmsCodecPlugin(codec)],
      },
      history,
      'prices',
    );
    await codec.close();
  });

  it('stores the 12 MB payloads of the price-list sample in the directory', async () => {
    const path = join(dir, 'dev');
    const native = await NativeConnection.connect({ address: stack.address });
    const codec = createKmsCodec(kmsSettings(stack.kmsAddress), { namespace });
    const deps = { connection: stack.connection, native, codec, storage: { path, bucket: 'dev-payloads' } };
    await runPriceList(deps);
    const before = await filesIn(path);
    // The objects are the first activity's result, and the second activity's input.
    expect(before.map(({ length }) => Math.floor(length / 1e6))).toEqual([12, 12]);
    await runPriceList(deps);
    expect(await filesIn(path)).toHaveLength(before.length);
    await codec.close();
    await native.close();
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudKms, KeyRules, KmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin } from '@temporal-kms/worker-kit';
import { newCanary } from '@temporal-kms/testing/canaries';
import { startStack } from '@temporal-kms/testing/stack';
import { Client } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { insurer } from '../src/nexus/insurer.ts';
import { insuredParcel } from '../src/workflows/insured-parcel.ts';
import { createWorker } from '../src/worker.ts';
import { compiledSamples } from './support/stack.ts';
import { databaseCells } from './support/database.ts';

const name = newCanary();
const keyOf = (namespace: string) =>
  `projects/test/locations/global/keyRings/ring/cryptoKeys/${namespace}` as const;

/**
 * The rules of a shop and an insurer with separate keys. Each namespace accepts the other namespace's
 * messages.
 */
const rules = new KeyRules({
  shop: { encrypt: keyOf('shop'), accepts: ['insurer'] },
  insurer: { encrypt: keyOf('insurer'), accepts: ['shop'] },
});

describe('Nexus operations', () => {
  let stack: Awaited<ReturnType<typeof startStack>>;
  let dir: string;
  let dbFile: string;
  const codec = () =>
    stack.closers.use(
      new KmsCodec({ rules, keyService: new CloudKms({ emulatorHost: stack.emulator.address }) }),
    );

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    dir = await mkdtemp(join(tmpdir(), 'nexus-test-'));
    dbFile = join(dir, 'temporal.db');
    stack = await startStack({
      temporal: { dbFile, namespaces: ['shop', 'insurer'] },
      emulator: { keys: ['shop', 'insurer'].map(keyOf) },
    });
    for (const namespace of ['shop', 'insurer']) {
      const worker = await createWorker({
        connection: await stack.native(),
        namespace,
        taskQueue: namespace,
        code: await compiledSamples(),
        plugins: [
          {
            name: 'insurer',
            configureWorker: (options: WorkerOptions) => ({ ...options, nexusServices: [insurer] }),
          },
          new KmsWorkerPlugin(codec()),
        ],
        shutdownGraceSeconds: 1,
      });
      const ended = worker.run();
      stack.closers.defer(async () => {
        worker.shutdown();
        await ended;
      });
      await stack.connection.operatorService.createNexusEndpoint({
        spec: { name: `${namespace}-endpoint`, target: { worker: { namespace, taskQueue: namespace } } },
      });
    }
  });
  afterAll(async () => {
    await stack?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it.each([
    { where: 'within a namespace', endpoint: 'shop-endpoint' },
    { where: 'in another namespace, under another key', endpoint: 'insurer-endpoint' },
  ])('read their input and return their result $where', async ({ endpoint }) => {
    const { connection } = stack;
    const client = new Client({ connection, namespace: 'shop', plugins: [new KmsCodecPlugin(codec())] });
    const result = await client.workflow.execute(insuredParcel, {
      taskQueue: 'shop',
      workflowId: `parcel-${endpoint}`,
      args: [{ endpoint, customer: name, cents: 12_000 }],
    });
    expect(result).toBe(`1.20 to insure the parcel of ${name}: Policy for ${name} over 120.00`);
  });

  it("leave no plaintext in Temporal's database", () => {
    const cells = databaseCells(dbFile);
    expect(cells.includes('parcel-insurer-endpoint')).toBe(true);
    expect(cells.includes(name)).toBe(false);
  });
});

import { randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { startTemporal, type TemporalServer } from '@temporal-kms/scripts/temporal';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KmsCodecPlugin } from '../../src/index.ts';
import { historyBytes } from '@temporal-kms/testing/history';
import { encryptedPayloadsIn } from '../temporal/support/history.ts';
import { type Lines, startModule } from './support/python.ts';
import { type Setting, startSetting } from './support/setting.ts';

/* A workflow and its activities in Python, started, queried and read from TypeScript, on a real Temporal server. */

const namespace = 'payments';
const taskQueue = 'python-orders';
const closers: (() => Promise<unknown>)[] = [];
let setting: Setting;
let server: TemporalServer;
let client: Client;

beforeAll(async () => {
  setting = await startSetting();
  closers.push(() => setting.close());
  server = await startTemporal({ namespaces: [namespace] });
  closers.push(() => server.close());
  const connection = await Connection.connect({ address: server.address });
  closers.push(() => connection.close());
  const codec = setting.codec({ KMS_BIND_WORKFLOW: 'true' });
  client = new Client({ connection, namespace, plugins: [new KmsCodecPlugin(codec)] });
  const worker = await startWorker();
  closers.push(() => worker.close());
}, 600_000);
afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

async function startWorker(): Promise<Lines> {
  const { python, emulator, keysFile } = setting;
  const keys = ['--emulator', emulator.address, '--keys-file', keysFile];
  const temporal = ['--temporal', server.address, '--namespace', namespace, '--task-queue', taskQueue];
  const worker = startModule(python, ['temporal_kms_peers.worker', ...keys, ...temporal]);
  expect(await worker.read()).toBe('ready');
  return worker;
}

const start = (card: string) =>
  client.workflow.start('order', { taskQueue, workflowId: randomUUID(), args: [card] });

it('exchanges input, signal, query and result between the languages, and Temporal stores only ciphertext', async () => {
  const handle = await start('card 4111');
  await expect.poll(() => handle.query('cards'), { timeout: 20_000 }).toEqual(['card 4111']);
  await handle.signal('add', 'card 4222');
  expect(await handle.result()).toEqual(['charged card 4111', 'charged card 4222']);

  const history = await handle.fetchHistory();
  expect(historyBytes(history).includes('card 4')).toBe(false);
  expect(encryptedPayloadsIn(history).length).toBeGreaterThanOrEqual(7);
});

it('decodes the message and details of a Python failure, and Temporal stores neither in plaintext', async () => {
  const handle = await start('card refused');
  await handle.signal('add', 'card 4222');
  const failure = await handle.result().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  expect(failure).toMatchObject({
    cause: {
      cause: { message: 'refused card refused', type: 'Refused', details: ['details of card refused'] },
    },
  });
  expect(historyBytes(await handle.fetchHistory()).includes('card refused')).toBe(false);
});

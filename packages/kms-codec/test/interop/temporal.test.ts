import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { startTemporal, type TemporalServer } from '@temporal-kms/scripts/temporal';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KmsCodecPlugin } from '../../src/index.ts';
import { historyBytes } from '@temporal-kms/testing/history';
import { formatOf } from '../../src/formats/formats.ts';
import { valueOf } from '../support/codec.ts';
import { encryptedPayloadsIn } from '../temporal/support/history.ts';
import { type Lines, startModule } from '@temporal-kms/testing/python';
import { type Setting, startSetting } from './support/setting.ts';

/*
 * Tests a Python workflow and its activities on a real Temporal server. TypeScript starts, queries and reads
 * the workflow.
 */

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
  const args = ['temporal_kms_peers.worker', ...keys, ...temporal, '--log', logFile()];
  const worker = startModule(python, args);
  expect(await worker.read()).toBe('ready');
  return worker;
}

const logFile = () => `${setting.keysFile}.log`;

const start = (card: string) =>
  client.workflow.start('order', { taskQueue, workflowId: randomUUID(), args: [card] });

it('the languages exchange an input, a signal, a query and a result, and Temporal stores only ciphertext', async () => {
  const handle = await start('card 4111');
  await expect.poll(() => handle.query('cards'), { timeout: 60_000 }).toEqual(['card 4111']);
  await handle.signal('add', 'card 4222');
  expect(await handle.result()).toEqual(['charged card 4111', 'charged card 4222']);

  const history = await handle.fetchHistory();
  expect(historyBytes(history).includes('card 4')).toBe(false);
  expect(encryptedPayloadsIn(history).length).toBeGreaterThanOrEqual(7);
}, 120_000);

it('TypeScript decodes a Python failure’s message and details, and Temporal stores neither in plaintext', async () => {
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

it('the Python SDK’s log names the failed activity but contains no plaintext', async () => {
  const handle = await start('card refused');
  await handle.signal('add', 'card 4222');
  await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
  const text = await readFile(logFile(), 'utf8');
  expect(text).not.toMatch(/card refused|card 4|No money/);
  const entries = text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(entries).toContainEqual(
    expect.objectContaining({
      severity: 'WARNING',
      message: 'Completing activity as failed',
      workflowId: handle.workflowId,
      activityType: 'charge',
      error: 'ApplicationError',
      errorType: 'Refused',
    }),
  );
});

/**
 * Runs a Python workflow that starts an activity on a queue. Returns the activity's result and stored header.
 */
async function relay(activity: string, queue: string) {
  const args: [string, string] = [activity, queue];
  const handle = await client.workflow.start('relay', { taskQueue, workflowId: randomUUID(), args });
  const result: unknown = await handle.result();
  const { events } = await handle.fetchHistory();
  const scheduled = events?.find(({ activityTaskScheduledEventAttributes: found }) => found);
  return {
    result,
    handle,
    header: scheduled?.activityTaskScheduledEventAttributes?.header?.fields?.['tenant'],
  };
}

describe('a header from a Python workflow', () => {
  it('is stored as ciphertext, reaches Python as plaintext, and can be decoded in TypeScript', async () => {
    const { result, header, handle } = await relay('tenant', taskQueue);
    expect(result).toBe('tenant 4111');
    expect(historyBytes(await handle.fetchHistory()).includes('tenant 4111')).toBe(false);
    const codec = setting.codec();
    const context = { type: 'workflow', namespace, workflowId: handle.workflowId } as const;
    const [decoded] = await codec.decode([header!], context);
    expect(valueOf(decoded)).toBe('tenant 4111');
  });

  it('reaches a TypeScript activity as ciphertext, and the activity completes', async () => {
    Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
    const connection = await NativeConnection.connect({ address: server.address });
    const codec = setting.codec({ KMS_BIND_WORKFLOW: 'true' });
    const received: unknown[] = [];
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: 'typescript-activities',
      activities: { greet: () => Promise.resolve('from TypeScript') },
      plugins: [new KmsCodecPlugin(codec)],
      interceptors: {
        activity: [
          () => ({
            inbound: {
              execute: (input, next) => {
                received.push(formatOf(input.headers['tenant']!).name);
                return next(input);
              },
            },
          }),
        ],
      },
    });
    try {
      const { result } = await worker.runUntil(relay('greet', 'typescript-activities'));
      expect(result).toBe('from TypeScript');
      expect(received).toEqual(['envelope-v2']);
    } finally {
      await connection.close();
    }
  });
});

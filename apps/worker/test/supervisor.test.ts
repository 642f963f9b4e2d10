import { fileURLToPath } from 'node:url';
import { startTemporal, type TemporalServer } from '@temporal-kms/scripts/temporal';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { NativeConnection, type WorkerPlugin } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { catalogue } from '../src/starter/catalogue.ts';
import { initialStatus } from '../src/health.ts';
import { superviseWorker } from '../src/supervisor.ts';
import { createWorker } from '../src/worker.ts';
import { namespace, taskQueue } from './support/stack.ts';

const failureConverterPath = fileURLToPath(import.meta.resolve('@temporal-kms/kms-codec/failure-converter'));

describe('a codec that throws while it encodes a failure', () => {
  let server: TemporalServer;
  let connection: Connection;
  let broken = false;
  const codec = {
    encode: (payloads: Payload[]) =>
      broken ? Promise.reject(new TypeError('The codec is broken')) : Promise.resolve(payloads),
    decode: (payloads: Payload[]) => Promise.resolve(payloads),
  };
  const plugin: WorkerPlugin = {
    name: 'breakable codec',
    configureWorker: (options) => ({
      ...options,
      dataConverter: { payloadCodecs: [codec], failureConverterPath },
    }),
  };
  const connect = () => NativeConnection.connect({ address: server.address });
  const worker = (own: NativeConnection) =>
    createWorker({ connection: own, namespace, taskQueue, plugins: [plugin], shutdownGraceSeconds: 1 });

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    server = await startTemporal();
    connection = await Connection.connect({ address: server.address });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.close();
  });

  it('ends a worker without a supervisor', async () => {
    broken = true;
    const client = new Client({ connection, namespace });
    await catalogue.checkout.start(client, { workflowId: 'unsupervised', taskQueue });
    const own = await connect();
    await expect((await worker(own)).run()).rejects.toThrow();
    await own.close();
  });

  it('makes the supervisor start another worker, which continues once the codec is fixed', async () => {
    const stopping = new AbortController();
    const status = initialStatus();
    const log: string[] = [];
    const supervised = superviseWorker({
      connect,
      createWorker: worker,
      signal: stopping.signal,
      status,
      log: createLog('error', { write: (line) => void log.push(line) }),
      firstDelayMs: 100,
    });
    const client = new Client({ connection, namespace });
    const handle = await catalogue.checkout.start(client, { workflowId: 'supervised', taskQueue });
    await expect.poll(() => status.restarts, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(log.join('')).toContain('The worker failed');
    broken = false;
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    expect(status.phase).toBe('polling');
    stopping.abort();
    expect(await supervised).toBe(true);
    expect(log).toHaveLength(status.restarts);
  }, 60_000);
});

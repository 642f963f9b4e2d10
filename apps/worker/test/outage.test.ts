import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmulator, type Emulator } from '@temporal-kms/kms-emulator';
import type { Connection, WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { catalogue, type SampleName } from '../src/starter/catalogue.ts';
import { createSampleClients, type SampleClients } from '../src/starter/clients.ts';
import { order } from '../src/workflows/order.ts';
import { startApp, type App } from './support/app.ts';
import { readEverything } from './support/history.ts';
import { kmsSettings, kmsVariables, namespace, startTemporalAndKms, taskQueue } from './support/stack.ts';

const OUTAGE_MS = 30_000;
const eventCount = async (handle: WorkflowHandle) => (await handle.describe()).historyLength;

describe('a 30 s Cloud KMS outage', () => {
  let dir: string;
  let emulator: Emulator;
  let services: Awaited<ReturnType<typeof startTemporalAndKms>>;
  let connection: Connection;
  let clients: SampleClients;
  let otherProcess: SampleClients;
  let app: App;
  const handles: WorkflowHandle[] = [];

  const start = async (sample: SampleName, workflowId: string, input: Record<string, unknown> = {}) => {
    const handle = await catalogue[sample].start(clients.get('envelope-v2'), {
      workflowId,
      taskQueue,
      input,
    });
    handles.push(handle);
    return handle;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'worker-outage-'));
    const dataFile = join(dir, 'keys.json');
    services = await startTemporalAndKms(dataFile);
    ({ connection, emulator } = services);
    const kms = kmsSettings(emulator.address);
    clients = createSampleClients({ connection, namespace, kms });
    otherProcess = createSampleClients({ connection, namespace, kms });
    app = startApp({
      ...kmsVariables(emulator.address),
      TEMPORAL_ADDRESS: services.address,
      TEMPORAL_TASK_QUEUE: taskQueue,
    });
    await app.untilReady();

    const courier = await start('courier', 'courier', { intervalMs: 500, lastStop: 40 });
    await start('order', 'order-before');
    await start('settlement', 'settlement', { bankOpensAtAttempt: 5 });
    await vi.waitFor(async () => expect(await eventCount(courier)).toBeGreaterThan(15), 60_000);

    // Another process encrypts under a data key that the worker has not cached when the outage begins.
    const foreign = otherProcess.get('envelope-v2').workflow;
    handles.push(
      await foreign.start(order, {
        workflowId: 'order-under-another-data-key',
        taskQueue,
        args: [{ customer: 'Ingrid Moe', address: 'Fjord Road 3, Bergen', items: [] }],
        startDelay: '12 seconds',
      }),
    );

    await emulator.close();
    const restored = Date.now() + OUTAGE_MS;
    const before = await eventCount(courier);
    await start('order', 'order-during-1');
    await sleep(OUTAGE_MS / 2);
    await start('order', 'order-during-2');
    await start('stocktake', 'stocktake-during', { shelves: 20, counters: 5 });
    expect(await eventCount(courier)).toBeGreaterThan(before + 30);
    await sleep(restored - Date.now());
    emulator = await startEmulator({ port: emulator.port, dataFile });
    await Promise.all(handles.map((handle) => handle.result()));
  });
  afterAll(async () => {
    await app?.kill();
    await Promise.all([clients?.close(), otherProcess?.close()]);
    await Promise.all([emulator?.close(), services?.close()]);
    await rm(dir, { recursive: true, force: true });
  });

  it('makes no workflow fail or time out', async () => {
    const closed = await Promise.all(handles.map(async (handle) => (await handle.describe()).status.name));
    expect(closed).toEqual(handles.map(() => 'COMPLETED'));
    const events = (await readEverything(connection)).map(({ where }) => where);
    expect(events.filter((name) => /^WORKFLOW_EXECUTION_(FAILED|TIMED_OUT|TERMINATED)$/.test(name))).toEqual(
      [],
    );
  });

  it('leaves one workflow waiting for a data key that the worker has not cached', () => {
    expect(app.output()).toContain('kms_unavailable');
  });

  it('does not end or restart the worker', async () => {
    expect(app.isRunning()).toBe(true);
    expect(await app.readyz()).toMatchObject({ http: 200, worker: { phase: 'polling', restarts: 0 } });
    expect(() => process.kill(app.pid, 0)).not.toThrow();
  });
});

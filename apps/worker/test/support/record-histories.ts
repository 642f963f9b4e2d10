// Records histories of the samples, which replay.test.ts replays: node test/support/record-histories.ts
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { readHistory } from '@temporal-kms/testing/history';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { startTemporalStack } from '@temporal-kms/testing/stack';
import { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { temporal } from '@temporalio/proto';
import type { WorkerOptions } from '@temporalio/worker';
import { createLog, installRuntime } from '../../src/log.ts';
import { catalogue, type SampleName } from '../../src/starter/catalogue.ts';
import { insurer } from '../../src/nexus/insurer.ts';
import { insuredParcel } from '../../src/workflows/insured-parcel.ts';
import { addNote, changeAddress } from '../../src/workflows/order.ts';
import { createWorker } from '../../src/worker.ts';
import { RECORDED_NAME, recordedCodec, recordedDir } from './recorded.ts';
import {
  cancelRepair,
  completeRepair,
  resetToLastTask,
  runSchedule,
  signalWithStart,
  untilActivityStarted,
  updateWithStart,
} from './scenarios.ts';
import { namespace, taskQueue } from './stack.ts';

/**
 * The identity of the client and the worker. By default, Temporal would store the process id and the host's
 * name.
 */
const identity = 'recorder';

installRuntime(createLog('silent'));
const codec = recordedCodec();
const stack = await startTemporalStack();
const worker = await createWorker({
  connection: await stack.native(),
  namespace,
  taskQueue,
  plugins: [
    new KmsCodecPlugin(codec),
    {
      name: 'recorder',
      configureWorker: (options: WorkerOptions) => ({ ...options, identity, nexusServices: [insurer] }),
    },
  ],
  shutdownGraceSeconds: 1,
});
const ended = worker.run();
const client = new Client({
  connection: stack.connection,
  namespace,
  identity,
  plugins: [new KmsCodecPlugin(codec)],
});

await record();
await rm(recordedDir, { recursive: true, force: true });
await mkdir(recordedDir);
for (const [name, history] of await closedHistories()) {
  await writeFile(join(recordedDir, `${name}.json`), recordLines(JSON.parse(historyToJSON(history))));
}
worker.shutdown();
await ended;
await stack.close();
await codec.close();

/** Runs every sample that can complete. */
async function record(): Promise<void> {
  const name = RECORDED_NAME;
  const start = (sample: SampleName, input: Record<string, unknown>) =>
    catalogue[sample].start(client, { workflowId: sample, taskQueue, input });
  const order = await start('order', { customer: name, address: `Door 1 of ${name}` });
  await order.executeUpdate(changeAddress, { args: [`Gate 7 of ${name}`] });
  await order.signal(addNote, `Note from ${name}`);
  const approval = await start('approval', { requester: name });
  await untilActivityStarted(approval);
  await approval.cancel();
  const started = await Promise.all([
    start('checkout', { customer: name }),
    start('subscription', { customer: name, periods: 2 }),
    start('courier', { courier: name, intervalMs: 100, lastStop: 2 }),
    start('settlement', { merchant: name, bankOpensAtAttempt: 2 }),
    start('stocktake', { warehouse: name, shelves: 3 }),
    start('price-list', { supplier: name, articles: 3 }),
  ]);
  await Promise.allSettled([order, approval, ...started].map((handle) => handle.result()));
  const endpoint = 'insurance';
  await stack.connection.operatorService.createNexusEndpoint({
    spec: { name: endpoint, target: { worker: { namespace, taskQueue } } },
  });
  await client.workflow.execute(insuredParcel, {
    workflowId: 'insured-parcel',
    taskQueue,
    args: [{ endpoint, customer: name, cents: 12_000 }],
  });
  await Promise.all([
    runSchedule(client, name),
    updateWithStart(client, name),
    signalWithStart(client, name),
    completeRepair(client, 'repair', name).then(() => resetToLastTask(client, 'repair')),
    cancelRepair(client, 'repair-cancelled', name),
  ]);
}

/**
 * Returns the histories of closed runs by name: a workflow id without a time or UUID at its end, plus a number if the
 * name repeats.
 */
async function closedHistories(): Promise<Map<string, temporal.api.history.v1.IHistory>> {
  const { executions } = await stack.connection.workflowService.listWorkflowExecutions({ namespace });
  const histories = new Map<string, temporal.api.history.v1.IHistory>();
  for (const { execution, closeTime } of executions.toReversed()) {
    if (!execution || !closeTime) continue;
    const base = (execution.workflowId ?? '').replace(/-(\d{4}-|[\da-f]{8}-).*/, '');
    let name = base;
    for (let run = 2; histories.has(name); run += 1) name = `${base}-${run}`;
    histories.set(name, { events: await readHistory(stack.connection, namespace, execution) });
  }
  return histories;
}

import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import type { ExternalStorage, PayloadCodec } from '@temporalio/common';
import { NAMESPACE } from './bundle.ts';

export interface LongHistory {
  readonly workflowId: string;
  readonly runId: string;
  readonly payloads: number;
}

const SIGNAL_CONCURRENCY = 64;

/**
 * Starts a run whose history has `events` events: the start, a workflow task that no worker polls, and
 * signals. Each event except the workflow task's has a payload, encrypted by the codec.
 * @param bytes size of each payload
 * @param externalStorage stores large payloads
 */
export async function makeHistory(
  address: string,
  codec: PayloadCodec,
  workflowId: string,
  events: number,
  bytes = 1_024,
  externalStorage?: ExternalStorage,
): Promise<LongHistory> {
  const connection = await Connection.connect({ address });
  const dataConverter = { payloadCodecs: [codec], ...(externalStorage && { externalStorage }) };
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter });
  const handle = await client.workflow.start('long', {
    taskQueue: 'no-worker',
    workflowId,
    args: [value(bytes)],
  });
  let left = events - 2;
  const signal = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await handle.signal('more', value(bytes));
    }
  };
  await Promise.all(Array.from({ length: SIGNAL_CONCURRENCY }, signal));
  const { runId, historyLength } = await handle.describe();
  if (historyLength !== events)
    throw new Error(`The history has ${historyLength} events instead of ${events}.`);
  await connection.close();
  return { workflowId: handle.workflowId, runId, payloads: events - 1 };
}

/** Returns a value that has `bytes` bytes in JSON, including the quotation marks. */
const value = (bytes: number): string =>
  randomBytes(bytes)
    .toString('base64')
    .slice(0, bytes - 2);

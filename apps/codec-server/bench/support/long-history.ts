import { randomBytes } from 'node:crypto';
import { createKmsCodec, KeyRules, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { KEY, NAMESPACE } from './bundle.ts';

export interface LongHistory {
  readonly workflowId: string;
  readonly runId: string;
  readonly payloads: number;
}

const SIGNALS_AT_ONCE = 64;
const PAYLOAD_BYTES = 1_024;

/**
 * Makes a run whose history has `events` events: its start, a workflow task that nobody takes, and signals, each event
 * but the task with an encrypted payload of 1 KiB.
 */
export async function makeHistory(
  address: string,
  emulatorHost: string,
  events: number,
): Promise<LongHistory> {
  const codec = createKmsCodec({
    rules: new KeyRules({ [NAMESPACE]: { encrypt: KEY } }),
    emulatorHost,
    format: undefined,
    compression: undefined,
    bindWorkflow: false,
  });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE, plugins: [new KmsCodecPlugin(codec)] });
  const handle = await client.workflow.start('long', {
    taskQueue: 'nobody',
    workflowId: `long-${events}`,
    args: [value()],
  });
  let left = events - 2;
  const signal = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await handle.signal('more', value());
    }
  };
  await Promise.all(Array.from({ length: SIGNALS_AT_ONCE }, signal));
  const { runId, historyLength } = await handle.describe();
  if (historyLength !== events)
    throw new Error(`The history has ${historyLength} events instead of ${events}.`);
  await connection.close();
  await codec.close();
  return { workflowId: handle.workflowId, runId, payloads: events - 1 };
}

/** JSON's quotation marks make it 1 KiB. */
const value = (): string =>
  randomBytes(PAYLOAD_BYTES)
    .toString('base64')
    .slice(0, PAYLOAD_BYTES - 2);

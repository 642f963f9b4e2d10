import { randomBytes } from 'node:crypto';
import { NAMESPACE } from '@temporal-kms/codec-server/bench/bundle';
import type { LongHistory } from '@temporal-kms/codec-server/bench/long-history';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';

/** Begins each value, so that a page with this text shows plaintext. */
export const MARK = 'decoded';
const PAYLOAD_BYTES = 1_024;
/** Activities that one workflow task schedules. A run may have 2,000 in progress. */
const BATCH = 1_500;
const POLLERS = 24;
const POLL_MS = 60_000;
/** Numbers of Temporal's enums `CommandType` and `TaskQueueKind`. */
const SCHEDULE_ACTIVITY = 1;
const NORMAL = 1;

let values = 0;
/** An object of 1 KiB. */
function value(): unknown {
  values += 1;
  const text = randomBytes(PAYLOAD_BYTES).toString('base64');
  return { order: `${MARK}-${values}`, note: text.slice(0, PAYLOAD_BYTES - 60) };
}

/**
 * Makes a run with `events` events: activities, each with an encrypted input and an encrypted result of 1 KiB, and
 * signals up to the number. The run stays open. This function does the work of the workers, because a workflow worker
 * would replay the history again and again.
 */
export async function makeActivities(
  address: string,
  codec: KmsCodec,
  workflowId: string,
  events: number,
): Promise<LongHistory & { handle: WorkflowHandle }> {
  const connection = await Connection.connect({ address });
  const client = new Client({
    connection,
    namespace: NAMESPACE,
    dataConverter: { payloadCodecs: [codec] },
  });
  const { workflowService } = connection;
  const name = `queue-${workflowId}`;
  const queue = { taskQueue: { name, kind: NORMAL }, namespace: NAMESPACE, identity: 'bench' };
  /** Temporal refuses a poll without a deadline. */
  const polled = <T>(poll: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + POLL_MS, poll);
  const payloads = async (): Promise<{ payloads: Payload[] }> => ({
    payloads: await codec.encode([defaultPayloadConverter.toPayload(value())], {
      type: 'workflow',
      namespace: NAMESPACE,
      workflowId,
    }),
  });
  const handle = await client.workflow.start('Orders', { taskQueue: name, workflowId, args: [value()] });
  let encrypted = 1;
  let left = Math.floor((events - 8) / 3);
  let activity = 0;
  while (left > 0) {
    const batch = Math.min(left, BATCH);
    left -= batch;
    const { taskToken } = await polled(() => workflowService.pollWorkflowTaskQueue(queue));
    const commands = [];
    for (let n = 0; n < batch; n += 1) {
      activity += 1;
      commands.push({
        commandType: SCHEDULE_ACTIVITY,
        scheduleActivityTaskCommandAttributes: {
          activityId: String(activity),
          activityType: { name: `Step${activity % 7}` },
          taskQueue: { name },
          input: await payloads(),
          scheduleToCloseTimeout: msToTs('1 hour'),
          startToCloseTimeout: msToTs('1 hour'),
        },
      });
    }
    await workflowService.respondWorkflowTaskCompleted({
      taskToken,
      identity: 'bench',
      namespace: NAMESPACE,
      commands,
    });
    encrypted += 2 * batch;
    let open = batch;
    const work = async (): Promise<void> => {
      while (open > 0) {
        open -= 1;
        const task = await polled(() => workflowService.pollActivityTaskQueue(queue));
        await workflowService.respondActivityTaskCompleted({
          taskToken: task.taskToken,
          identity: 'bench',
          namespace: NAMESPACE,
          result: await payloads(),
        });
      }
    };
    await Promise.all(Array.from({ length: POLLERS }, work));
  }
  const missing = events - (await handle.describe()).historyLength;
  for (let n = 0; n < missing; n += 1) await handle.signal('more', value());
  const { runId, historyLength } = await handle.describe();
  if (historyLength !== events)
    throw new Error(`The history has ${historyLength} events instead of ${events}.`);
  return { workflowId, runId, payloads: encrypted + missing, handle };
}

/** Adds `count` encrypted signals, one after another with a pause. */
export async function signalMore(
  address: string,
  codec: KmsCodec,
  { workflowId }: LongHistory,
  count: number,
  pause: number,
): Promise<void> {
  const connection = await Connection.connect({ address });
  const client = new Client({
    connection,
    namespace: NAMESPACE,
    dataConverter: { payloadCodecs: [codec] },
  });
  const handle = client.workflow.getHandle(workflowId);
  for (let n = 0; n < count; n += 1) {
    await handle.signal('more', value());
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
    });
  }
  await connection.close();
}

import { randomBytes } from 'node:crypto';
import { NAMESPACE } from '@temporal-kms/codec-server/bench/bundle';
import type { LongHistory } from '@temporal-kms/codec-server/bench/long-history';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';

/** The text at the start of each value: a page with this text shows plaintext. */
export const MARK = 'decoded';
const PAYLOAD_BYTES = 1_024;
/** Number of activities that one workflow task schedules. Temporal permits 2,000 in progress per run. */
const BATCH = 1_500;
const POLLERS = 24;
const POLL_MS = 60_000;
/** Numbers of Temporal's enums `CommandType` and `TaskQueueKind`. */
const SCHEDULE_ACTIVITY = 1;
const CANCEL_ACTIVITY = 2;
const NORMAL = 1;
const STICKY = 2;

let values = 0;
/** An object of 1 KiB. */
function value(): unknown {
  values += 1;
  const text = randomBytes(PAYLOAD_BYTES).toString('base64');
  return { order: `${MARK}-${values}`, note: text.slice(0, PAYLOAD_BYTES - 60) };
}

/**
 * Creates an open run with exactly `events` events: activities, and signals for the rest. A completed
 * activity has an encrypted input and an encrypted result of 1 KiB. A canceled activity has no result, and a
 * thousand of them take only a second. This function replaces the workers, because a real workflow worker
 * would replay the history repeatedly.
 */
export async function makeActivities(
  address: string,
  codec: KmsCodec,
  workflowId: string,
  events: number,
  end: 'completed' | 'canceled' = 'completed',
): Promise<LongHistory & { handle: WorkflowHandle }> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter: { payloadCodecs: [codec] } });
  const { workflowService } = connection;
  const name = `queue-${workflowId}`;
  const queue = { taskQueue: { name, kind: NORMAL }, namespace: NAMESPACE, identity: 'bench' };
  /** Tasks from this queue contain only new events: a full history would soon exceed a message's maximum size. */
  const sticky = { name: `${name}-sticky`, kind: STICKY, normalName: name };
  /**
   * Polls until there is a task. Temporal refuses polls without a deadline, and ends them at the deadline.
   */
  async function polled<T extends { readonly taskToken: Uint8Array }>(poll: () => Promise<T>): Promise<T> {
    for (;;) {
      const task = await connection.withDeadline(Date.now() + POLL_MS, poll);
      if (task.taskToken.length > 0) return task;
    }
  }
  const payloads = async (): Promise<{ payloads: Payload[] }> => ({
    payloads: await codec.encode([defaultPayloadConverter.toPayload(value())], {
      type: 'workflow',
      namespace: NAMESPACE,
      workflowId,
    }),
  });
  const handle = await client.workflow.start('Orders', {
    taskQueue: name,
    workflowId,
    args: [value()],
    // A task that times out adds events, and encrypting a batch takes seconds on a busy machine.
    workflowTaskTimeout: '2 minutes',
  });
  let encrypted = 1;
  // Three events for each activity, and three for each workflow task of a batch. Signals are the rest.
  const tasks = end === 'completed' ? 1 : 2;
  let left = Math.floor((events - 5 - 3 * tasks) / (3 + (3 * tasks) / BATCH));
  let activity = 0;
  while (left > 0) {
    const batch = Math.min(left, BATCH);
    left -= batch;
    const pollTask = (taskQueue: typeof queue.taskQueue) =>
      polled(() => workflowService.pollWorkflowTaskQueue({ ...queue, taskQueue }));
    const { taskToken, startedEventId } = await pollTask(
      end === 'canceled' && activity > 0 ? sticky : queue.taskQueue,
    );
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
    const answer = { identity: 'bench', namespace: NAMESPACE };
    const stickyAttributes = { workerTaskQueue: sticky, scheduleToStartTimeout: msToTs('1 hour') };
    await workflowService.respondWorkflowTaskCompleted({
      ...answer,
      taskToken,
      commands,
      ...(end === 'canceled' && { stickyAttributes }),
      forceCreateNewWorkflowTask: end === 'canceled',
    });
    encrypted += tasks === 1 ? 2 * batch : batch;
    if (end === 'canceled') {
      const next = await pollTask(sticky);
      await workflowService.respondWorkflowTaskCompleted({
        ...answer,
        taskToken: next.taskToken,
        stickyAttributes,
        commands: Array.from({ length: batch }, (_, n) => ({
          commandType: CANCEL_ACTIVITY,
          // The event after the task's start is the task's end. The activities follow.
          requestCancelActivityTaskCommandAttributes: { scheduledEventId: startedEventId.add(2 + n) },
        })),
      });
      continue;
    }
    let open = batch;
    const work = async (): Promise<void> => {
      while (open > 0) {
        open -= 1;
        const task = await polled(() => workflowService.pollActivityTaskQueue(queue));
        await workflowService.respondActivityTaskCompleted({
          ...answer,
          taskToken: task.taskToken,
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
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter: { payloadCodecs: [codec] } });
  const handle = client.workflow.getHandle(workflowId);
  for (let n = 0; n < count; n += 1) {
    await handle.signal('more', value());
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
    });
  }
  await connection.close();
}

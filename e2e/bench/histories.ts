import { randomBytes } from 'node:crypto';
import { NAMESPACE } from '@temporal-kms/codec-server/bench/bundle';
import type { LongHistory } from '@temporal-kms/codec-server/bench/long-history';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';

/** The text at the start of each value. A page that contains this text shows plaintext. */
export const MARK = 'decoded';
/** The encrypted message of a run that fails. */
export const FAILURE = 'The bench has failed this run';
const PAYLOAD_BYTES = 1_024;
/** Number of activities that one workflow task schedules. Temporal permits 2,000 unfinished activities per run. */
const BATCH = 1_500;
const POLLERS = 24;
const POLL_MS = 60_000;
/** Values of Temporal's enums `CommandType` and `TaskQueueKind`. */
const SCHEDULE_ACTIVITY = 1;
const CANCEL_ACTIVITY = 2;
const COMPLETE_WORKFLOW = 4;
const FAIL_WORKFLOW = 5;
const NORMAL = 1;
const STICKY = 2;

/** How a run's activities end. `failed` means that the activities complete and the run fails. */
export type End = 'completed' | 'canceled' | 'failed';

let values = 0;
/** Returns an object of 1 KiB. */
function value(): unknown {
  values += 1;
  const text = randomBytes(PAYLOAD_BYTES).toString('base64');
  return { order: `${MARK}-${values}`, note: text.slice(0, PAYLOAD_BYTES - 60) };
}

type Encrypt = (plain: unknown) => Promise<Payload[]>;

/** Returns a function that encrypts a value for a workflow. */
const encryptor =
  (codec: KmsCodec, workflowId: string): Encrypt =>
  (plain) =>
    codec.encode([defaultPayloadConverter.toPayload(plain)], {
      type: 'workflow',
      namespace: NAMESPACE,
      workflowId,
    });

/** Returns the command that fails a run with an encrypted message. */
async function failing(encrypt: Encrypt, message: string, type: string) {
  const [encodedAttributes = null] = await encrypt({ message, stack_trace: '' });
  const failure = { message: 'Encoded failure', encodedAttributes, applicationFailureInfo: { type } };
  return { commandType: FAIL_WORKFLOW, failWorkflowExecutionCommandAttributes: { failure } };
}

/**
 * Polls until Temporal returns a task. Temporal refuses polls without a deadline, and ends a poll at its deadline.
 */
async function polled<T extends { readonly taskToken: Uint8Array }>(
  connection: Connection,
  poll: () => Promise<T>,
): Promise<T> {
  for (;;) {
    const task = await connection.withDeadline(Date.now() + POLL_MS, poll);
    if (task.taskToken.length > 0) return task;
  }
}

/**
 * Creates a run with exactly `events` events: activities, and signals for the rest. A completed activity has
 * an encrypted input and an encrypted result of 1 KiB. A canceled activity has no result, and making a thousand
 * canceled activities takes only a second. The run stays open, unless `end` is `failed`. `makeActivities` completes
 * the run's tasks itself, because a real workflow worker would replay the history repeatedly.
 */
export async function makeActivities(
  address: string,
  codec: KmsCodec,
  workflowId: string,
  events: number,
  end: End = 'completed',
): Promise<LongHistory & { handle: WorkflowHandle }> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter: { payloadCodecs: [codec] } });
  const { workflowService } = connection;
  const name = `queue-${workflowId}`;
  const queue = { taskQueue: { name, kind: NORMAL }, namespace: NAMESPACE, identity: 'bench' };
  /**
   * Tasks from this queue contain only new events, because a full history would soon exceed a message's
   * maximum size.
   */
  const sticky = { name: `${name}-sticky`, kind: STICKY, normalName: name };
  const encrypt = encryptor(codec, workflowId);
  const payloads = async (): Promise<{ payloads: Payload[] }> => ({ payloads: await encrypt(value()) });
  const pollTask = (taskQueue: typeof queue.taskQueue) =>
    polled(connection, () => workflowService.pollWorkflowTaskQueue({ ...queue, taskQueue }));
  const answer = { identity: 'bench', namespace: NAMESPACE };
  const handle = await client.workflow.start('Orders', {
    taskQueue: name,
    workflowId,
    args: [value()],
    // The timeout is long, because encrypting a batch takes seconds on a busy machine, and a task that times out would
    // add events.
    workflowTaskTimeout: '2 minutes',
  });
  let encrypted = 1;
  // There are three events for each activity, three for each workflow task of a batch, and a few at the start and
  // end of the history. The other events are signals.
  const tasks = end === 'canceled' ? 2 : 1;
  /** The last three events: the last workflow task starts and completes, and the run fails. */
  const last = end === 'failed' ? 3 : 0;
  let left = Math.floor((events - last - 5 - 3 * tasks) / (3 + (3 * tasks) / BATCH));
  let activity = 0;
  while (left > 0) {
    const batch = Math.min(left, BATCH);
    left -= batch;
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
          // The event after the task's start is the task's end, and the activities' events follow.
          requestCancelActivityTaskCommandAttributes: { scheduledEventId: startedEventId.add(2 + n) },
        })),
      });
      continue;
    }
    let open = batch;
    const work = async (): Promise<void> => {
      while (open > 0) {
        open -= 1;
        const task = await polled(connection, () => workflowService.pollActivityTaskQueue(queue));
        await workflowService.respondActivityTaskCompleted({
          ...answer,
          taskToken: task.taskToken,
          result: await payloads(),
        });
      }
    };
    await Promise.all(Array.from({ length: POLLERS }, work));
  }
  const missing = events - last - (await handle.describe()).historyLength;
  for (let n = 0; n < missing; n += 1) await handle.signal('more', value());
  if (end === 'failed') {
    const { taskToken } = await pollTask(queue.taskQueue);
    const commands = [await failing(encrypt, FAILURE, 'BenchFailed')];
    await workflowService.respondWorkflowTaskCompleted({ ...answer, taskToken, commands });
    encrypted += 1;
  }
  const { runId, historyLength } = await handle.describe();
  if (historyLength !== events)
    throw new Error(`The history has ${historyLength} events instead of ${events}.`);
  return { workflowId, runId, payloads: encrypted + missing, handle };
}

/** The workflow type of the runs that `makePayments` makes. */
export const PAYMENT = 'Payment';
const CAUSES = 20;

/**
 * Makes runs with encrypted inputs: `failed` runs that fail with one of twenty causes, and `completed` runs that
 * complete.
 */
export async function makePayments(
  address: string,
  codec: KmsCodec,
  failed: number,
  completed: number,
): Promise<void> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter: { payloadCodecs: [codec] } });
  const { workflowService } = connection;
  const taskQueue = { name: 'payments', kind: NORMAL };
  const answer = { namespace: NAMESPACE, identity: 'bench' };
  let left = failed + completed;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const id = `payment-${left}`;
      await client.workflow.start(PAYMENT, { taskQueue: taskQueue.name, workflowId: id, args: [value()] });
      // This task may belong to a run that another concurrent call of `work` has started.
      const { taskToken, workflowExecution } = await polled(connection, () =>
        workflowService.pollWorkflowTaskQueue({ ...answer, taskQueue }),
      );
      const workflowId = workflowExecution?.workflowId ?? '';
      const n = Number(workflowId.split('-')[1]);
      const type = `Declined${n % CAUSES}`;
      const command =
        n < failed
          ? await failing(encryptor(codec, workflowId), `Card ${n} of order ${2 * n} was declined`, type)
          : { commandType: COMPLETE_WORKFLOW, completeWorkflowExecutionCommandAttributes: {} };
      const commands = [command];
      await workflowService.respondWorkflowTaskCompleted({ ...answer, taskToken, commands });
    }
  };
  await Promise.all(Array.from({ length: POLLERS }, work));
  await connection.close();
}

/** Starts `count` runs for which no worker polls. */
export async function startRuns(address: string, codec: KmsCodec, count: number): Promise<void> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter: { payloadCodecs: [codec] } });
  for (let n = 1; n <= count; n += 1)
    await client.workflow.start('Waiting', { taskQueue: 'no-worker', workflowId: `waiting-${n}` });
  await connection.close();
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

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import type { Client } from '@temporalio/client';
import * as workflows from './workflows.ts';

export interface LoggedWorker extends NodeProcess {
  readonly taskQueue: string;
}

/** Starts `worker.ts` as a process that uses the safe logger or the SDK's default logger. */
export function startWorker(logger: 'safe' | 'default', env: Record<string, string>): LoggedWorker {
  const taskQueue = `logged-by-${logger}`;
  const running = startNode(join(import.meta.dirname, 'worker.ts'), {
    env: { LOGGER: logger, TASK_QUEUE: taskQueue, ...env },
  });
  return { ...running, taskQueue };
}

/** Causes every kind of failure that a worker logs, each with `secret` in the error. */
export async function failEverywhere(client: Client, worker: LoggedWorker, secret: string): Promise<void> {
  const { taskQueue } = worker;
  const id = (name: string) => `${taskQueue}-${name}`;
  type Text = (text: string) => Promise<unknown>;
  const start = (name: string, workflow: Text, text = secret) =>
    client.workflow.start(workflow, { taskQueue, workflowId: id(name), args: [text], memo: { secret } });
  const fails = async (name: string, workflow: Text, text = secret) => {
    const handle = await start(name, workflow, text);
    await rejected(handle.result());
  };
  const failsItsTask = async (name: string, workflow: Text) => {
    const handle = await start(name, workflow);
    for (const deadline = Date.now() + 60_000; ; await sleep(100)) {
      const { events } = await handle.fetchHistory();
      if (events?.some((event) => event.workflowTaskFailedEventAttributes)) break;
      if (Date.now() > deadline) throw new Error(`No workflow task of ${name} failed`);
    }
    await handle.terminate();
  };
  const converses = async () => {
    const handle = await start('conversation', workflows.conversation);
    await rejected(handle.query(workflows.ask, secret));
    await rejected(handle.executeUpdate(workflows.change, { args: [secret] }));
    await rejected(handle.executeUpdate(workflows.change, { args: [`invalid ${secret}`] }));
    await handle.signal(workflows.poke, secret);
    await rejected(handle.result());
  };
  const nexus = async () => {
    const args: [string, string] = [endpointOf(taskQueue), secret];
    const options = { taskQueue, workflowId: id('nexus'), args };
    await rejected(client.workflow.execute(workflows.callingNexus, options));
  };
  await Promise.all([
    fails('activity', workflows.failingActivity),
    fails('local-activity', workflows.failingLocalActivity),
    fails('input', workflows.unreadableInput, `garble ${secret}`),
    fails('heartbeat', workflows.failingHeartbeat),
    fails('child', workflows.failingChild),
    fails('workflow', workflows.failing),
    failsItsTask('task', workflows.failingTask),
    failsItsTask('promise', workflows.rejectedPromise),
    start('sink', workflows.failingSink).then((handle) => handle.result()),
    start('talk', workflows.talkative).then((handle) => handle.result()),
    converses(),
    nexus(),
  ]);
}

export const endpointOf = (taskQueue: string) => `vault-of-${taskQueue}`;

async function rejected(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    return;
  }
  throw new Error('It did not fail');
}

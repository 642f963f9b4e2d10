import { runTaskQueues, type RunTaskQueues } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { createTemporalService, type TemporalService } from '../../src/temporal/service.ts';
import { eventually, get, runOf, runPath, type Stack, startStack, TASK_QUEUE } from '../support/temporal.ts';
import { finish } from '../support/workflows.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

type Run = { workflowId: string; runId: string };

const request = (run: Run, app = stack.app): Promise<Response> => get(app, `${runPath(run)}/task-queues`);
async function taskQueues(run: Run, app = stack.app): Promise<RunTaskQueues['taskQueues']> {
  return runTaskQueues.parse(await (await request(run, app)).json()).taskQueues;
}

/** An application that records its calls about task queues. */
function watched(): { readonly app: Stack['app']; readonly asked: string[] } {
  const service = createTemporalService(stack.connection);
  const asked: string[] = [];
  const taskQueue: TemporalService['taskQueue'] = (of, signal) => {
    asked.push(`${of.namespace} ${of.taskQueue?.name} ${of.taskQueueType}`);
    return service.taskQueue(of, signal);
  };
  return { app: stack.replica({ temporal: { ...service, taskQueue } }), asked };
}

describe('a run’s task queues', () => {
  it('have pollers while a worker runs', async () => {
    const handle = await stack.start('waiting', ['x']);
    const run = await runOf(handle);
    await eventually(async () =>
      expect(await taskQueues(run, stack.replica())).toEqual([
        {
          name: TASK_QUEUE,
          kind: 'workflow',
          waiting: 0,
          pollers: 1,
          lastPoll: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          polling: true,
        },
      ]),
    );
    await handle.signal(finish, 'bye');
    await handle.result();
    expect(await taskQueues(run)).toEqual([]);
  });

  it('have no pollers if no worker runs, while a workflow task waits', async () => {
    const handle = await stack.start('waiting', ['x'], { taskQueue: 'no-such-worker' });
    expect(await taskQueues(await runOf(handle))).toEqual([
      { name: 'no-such-worker', kind: 'workflow', waiting: 1, pollers: 0, polling: false },
    ]);
    await handle.terminate();
  });

  it('include the task queue of an activity that no worker has taken', async () => {
    const handle = await stack.start('elsewhere', ['no-activity-worker']);
    const run = await runOf(handle);
    await eventually(async () =>
      expect(await taskQueues(run, stack.replica())).toMatchObject([
        { name: 'no-activity-worker', kind: 'activity', waiting: 1, pollers: 0, polling: false },
        { name: TASK_QUEUE, kind: 'workflow', waiting: 0, polling: true },
      ]),
    );
    await handle.terminate();
  });

  it('are looked up only once for concurrent requests and for requests in quick succession', async () => {
    const { app, asked } = watched();
    const handle = await stack.start('waiting', ['x']);
    const run = await runOf(handle);
    await Promise.all([request(run, app), request(run, app), request(run, app)]);
    await request(run, app);
    expect(asked.filter((each) => each === asked[0])).toHaveLength(1);
    await handle.terminate();
  });

  it('are looked up only in the request’s namespace, and not for another namespace’s run', async () => {
    const { app, asked } = watched();
    const handle = await stack.start('waiting', ['x'], { taskQueue: 'no-such-worker' });
    const { workflowId, runId } = await runOf(handle);
    const response = await get(
      app,
      `/api/namespaces/orders/workflows/${workflowId}/runs/${runId}/task-queues`,
    );
    expect([response.status, await response.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
    expect(asked).toEqual([]);
    await handle.terminate();
  });

  it('are refused to a caller without the permission metadata before any call to Temporal', async () => {
    const temporal: any = new Proxy(
      {},
      { get: (_, call) => expect.fail(`called Temporal: ${String(call)}`) },
    );
    const access = { ...openAccess, allows: () => false };
    const run = { workflowId: 'w', runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa' };
    const response = await request(run, stack.replica({ access, temporal }));
    expect([response.status, await response.json()]).toMatchObject([403, { error: { code: 'forbidden' } }]);
  });
});

import { runsProgress, runTaskQueues, type RunTaskQueues, workflowTypes } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { createTemporalService, type TemporalService } from '../../src/temporal/service.ts';
import {
  eventually,
  get,
  NAMESPACE,
  runOf,
  runPath,
  type Stack,
  startStack,
  TASK_QUEUE,
} from '../support/temporal.ts';
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

/** Returns an application that records its calls to Temporal about task queues. */
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
    const named = await get(stack.replica(), `${runPath(run)}/task-queues?workers=true`);
    const [queue] = runTaskQueues.parse(await named.json()).taskQueues;
    expect(queue?.workers).toMatchObject([{ identity: expect.stringMatching(/^\d+@/) }]);
    await handle.signal(finish, 'bye');
    await handle.result();
    expect(await taskQueues(run)).toEqual([]);
  });

  it('have no pollers while a workflow task waits and no worker runs', async () => {
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

  it('are refused to a caller without the permission `metadata` before any call to Temporal', async () => {
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

const WORKFLOWS = `/api/namespaces/${NAMESPACE}/workflows`;

const askProgress = (runs: Run[], app = stack.app, path = WORKFLOWS): Promise<Response> =>
  get(app, `${path}:progress`, { method: 'POST', body: JSON.stringify({ runs }) });

describe('run progress', () => {
  it('shows what each run waits for, and leaves out a run that Temporal does not have', async () => {
    const handles = await Promise.all([
      stack.start('waiting', ['x'], { taskQueue: 'no-such-worker' }),
      stack.start('waiting', ['x'], { taskQueue: 'no-such-worker' }),
      stack.start('pending', ['canary-1f0c22']),
    ]);
    const runs = await Promise.all(handles.map(runOf));
    const none = { workflowId: 'none', runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa' };
    await eventually(async () => {
      const text = await (await askProgress([...runs, none])).text();
      expect(text).not.toContain('canary-1f0c22');
      expect(runsProgress.parse(JSON.parse(text)).runs).toEqual([
        { ...runs[0], task: { attempt: 1, since: expect.any(String), taken: false }, taskQueues: [] },
        { ...runs[1], task: { attempt: 1, since: expect.any(String), taken: false }, taskQueues: [] },
        { ...runs[2], retrying: { name: 'fails', attempt: 2 }, taskQueues: [] },
      ]);
    });
    for (const handle of handles) await handle.terminate();
  });

  it('contains no run of another namespace', async () => {
    const handle = await stack.start('waiting', ['x'], { taskQueue: 'no-such-worker' });
    const response = await askProgress([await runOf(handle)], stack.app, '/api/namespaces/orders/workflows');
    expect([response.status, await response.json()]).toEqual([200, { runs: [] }]);
    await handle.terminate();
  });

  it.each([[0], [101], [undefined]])('is refused if a request names %j runs', async (length) => {
    const run = { workflowId: 'w', runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa' };
    const runs = length === undefined ? undefined : Array.from({ length }, () => run);
    const init = { method: 'POST', body: JSON.stringify({ runs }) };
    const response = await get(stack.app, `${WORKFLOWS}:progress`, init);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });
});

async function types(prefix: string, namespace = NAMESPACE) {
  const path = `/api/namespaces/${namespace}/workflows:types?${new URLSearchParams({ prefix }).toString()}`;
  return workflowTypes.parse(await (await get(stack.app, path)).json());
}

describe('a namespace’s workflow types', () => {
  it('are the types of its runs, optionally only those that begin with a prefix', async () => {
    const odd = String.raw`pay "later" \ 100%`;
    const handles = await Promise.all(
      ['payment', 'payment', 'pay', odd, 'pay\0'].map((type) =>
        stack.start(type, [], { taskQueue: 'no-such-worker' }),
      ),
    );
    await eventually(async () =>
      expect(await types('pay')).toEqual({ types: ['pay', odd, 'payment'], complete: true }),
    );
    expect((await types('')).types).toEqual(expect.arrayContaining(['pay', 'payment', 'waiting']));
    expect(await types('payment')).toEqual({ types: ['payment'], complete: true });
    expect(await types('', 'orders')).toEqual({ types: [], complete: true });
    for (const handle of handles) await handle.terminate();
  });
});

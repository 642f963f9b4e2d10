import { randomUUID } from 'node:crypto';
import { type HistoryEvent, workflowCount, workflowDescription, workflowList } from '@temporal-kms/codec-api';
import { beforeAll, describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { post } from '../support/stack.ts';
import {
  decode,
  eventually,
  get,
  history,
  NAMESPACE,
  plaintexts,
  type Run,
  runEverywhere,
  runFailing,
  runOf,
  runPath,
  startStack,
  valueOf,
} from '../support/temporal.ts';
import { finish, look } from '../support/workflows.ts';

const stack = forFile(await startStack({ searchAttributes: { Customer: 'Keyword' } }));

const SECRET = 'canary-93b1c7';

describe('the history API, for a workflow with a secret in every payload,', () => {
  let run: Run;
  let events: HistoryEvent[];
  beforeAll(async () => {
    run = await runEverywhere(stack, SECRET, {
      staticDetails: `${SECRET} details`,
      searchAttributes: { Customer: ['acme'] },
    });
    const handle = stack.client.workflow.getHandle(run.workflowId);
    expect(await handle.query(look, `${SECRET} query`)).toContain(SECRET);
    events = await history(stack.app, run);
  });

  it('streams the history event by event, in order and without plaintext payloads', async () => {
    expect(events.map(({ eventId }) => eventId)).toEqual(events.map((_, index) => index + 1));
    expect(events[0]).toMatchObject({ eventName: 'WorkflowExecutionStarted', durable: true });
    expect(events.at(-1)).toMatchObject({ eventName: 'WorkflowExecutionCompleted' });
    expect(JSON.stringify(events)).not.toContain(SECRET);
    expect(JSON.stringify(events)).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 12));
  });

  it('streams the format and key of each payload, without a call to Cloud KMS', async () => {
    await using other = stack.kms.another();
    const app = stack.replica({ codec: other.codec });
    const before = stack.kms.emulator.calls.rows().length;
    const stubs = (await history(app, run)).flatMap(({ payloads }) => payloads);
    expect(stack.kms.emulator.calls.rows().length).toBe(before);
    const input = stubs.find(({ path }) => path === 'input.payloads[0]');
    expect(input).toMatchObject({
      ref: '1:0',
      encoding: 'binary/envelope-kms-v2',
      format: 'envelope-v2',
      key: { name: expect.stringMatching(/cryptoKeys\/payments$/), version: 1 },
    });
    expect(input?.reason).toBeUndefined();
  });

  it('decodes all payloads, with one result per ref', async () => {
    const refs = events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref));
    const values = await plaintexts(
      stack.app,
      run,
      events.flatMap(({ payloads }) => payloads),
    );
    expect([...values.keys()].toSorted()).toEqual(refs.toSorted());
    const byPath = events.flatMap((event) =>
      event.payloads.map(({ ref, path }) => [`${event.eventName} ${path}`, values.get(ref)!] as const),
    );
    const secrets = byPath.filter(([, value]) => value.includes(SECRET)).map(([path]) => path);
    expect([...new Set(secrets)].toSorted()).toEqual([
      'ActivityTaskCompleted result.payloads[0]',
      'ActivityTaskScheduled input.payloads[0]',
      'ChildWorkflowExecutionCompleted result.payloads[0]',
      'MarkerRecorded details.result.payloads[0]',
      'StartChildWorkflowExecutionInitiated input.payloads[0]',
      'StartChildWorkflowExecutionInitiated memo.fields.parent',
      'TimerStarted userMetadata.summary',
      'WorkflowExecutionCompleted result.payloads[0]',
      'WorkflowExecutionSignaled input.payloads[0]',
      'WorkflowExecutionStarted input.payloads[0]',
      'WorkflowExecutionStarted memo.fields.customer',
      'WorkflowExecutionStarted userMetadata.details',
      'WorkflowExecutionStarted userMetadata.summary',
      'WorkflowExecutionUpdateAccepted acceptedRequest.input.args.payloads[0]',
      'WorkflowExecutionUpdateCompleted outcome.success.payloads[0]',
      'WorkflowPropertiesModified upsertedMemo.fields.changed',
    ]);
    // The SDK's Core writes the payloads that lack the secret, so these payloads never reach a codec.
    expect(
      byPath
        .filter(([, value]) => !value.includes(SECRET))
        .map(([path]) => path)
        .toSorted(),
    ).toEqual([
      'MarkerRecorded details.data.payloads[0]',
      'MarkerRecorded details["patch-data"].payloads[0]',
    ]);
  });

  it('reports no warning `not_encrypted` for fields that the SDK’s Core writes in plaintext', async () => {
    const stubs = events.flatMap(({ payloads }) => payloads);
    expect(stubs.filter(({ reason }) => reason !== undefined)).toEqual([]);
    const plain = stubs.filter(({ format }) => format === 'plain').map(({ ref }) => ref);
    expect(plain).toHaveLength(2);
    for (const result of await decode(stack.app, run, plain)) expect(result).not.toHaveProperty('warning');
  });

  it('describes the workflow with placeholders for memo and metadata, and values for search attributes', async () => {
    const response = await get(stack.app, `/api/namespaces/${NAMESPACE}/workflows/${run.workflowId}`);
    const description = workflowDescription.parse(await response.json());
    expect(JSON.stringify(description)).not.toContain(SECRET);
    expect(description.workflow).toMatchObject({
      ...run,
      type: 'everywhere',
      status: 'Completed',
      historyLength: events.length,
      searchAttributes: { Customer: ['acme'] },
    });
    const values = await plaintexts(stack.app, run, description.payloads);
    expect(Object.fromEntries(description.payloads.map(({ path, ref }) => [path, values.get(ref)]))).toEqual({
      'executionConfig.userMetadata.details': `"${SECRET} details"`,
      'executionConfig.userMetadata.summary': `"${SECRET} summary"`,
      'workflowExecutionInfo.memo.fields.changed': `"${SECRET} upserted"`,
      'workflowExecutionInfo.memo.fields.customer': `"${SECRET} memo"`,
    });
    expect(description.details).toMatchObject({
      workflowExecutionInfo: {
        memo: { fields: { customer: { $payload: expect.stringMatching(/^0:\d+$/) } } },
      },
    });
  });

  it('lists the workflow with the same memo refs as in the description', async () => {
    const query = encodeURIComponent(`WorkflowId = "${run.workflowId}"`);
    const listed = await eventually(async () => {
      const response = await get(stack.app, `/api/namespaces/${NAMESPACE}/workflows?query=${query}`);
      const { workflows } = workflowList.parse(await response.json());
      expect(workflows[0]?.status).toBe('Completed');
      return workflows[0]!;
    });
    expect(listed.memo.map(({ path }) => path)).toEqual(['memo.fields.changed', 'memo.fields.customer']);
    const values = await plaintexts(stack.app, run, listed.memo);
    expect([...values.values()].toSorted()).toEqual([`"${SECRET} memo"`, `"${SECRET} upserted"`]);
  });

  it('decodes a payload of any event, even on a replica that has never read the run', async () => {
    await using other = stack.kms.another();
    const last = events.at(-1)!;
    const app = stack.replica({ codec: other.codec });
    const [result] = await decode(app, run, [last.payloads[0]!.ref]);
    expect(valueOf(result)).toBe(`"${SECRET} result"`);
  });

  it('returns the same refs on every read and every replica', async () => {
    const again = await Promise.all(
      [stack.replica(), stack.replica(), stack.app].map((app) => history(app, run)),
    );
    for (const other of again) expect(other).toEqual(events);
  });

  it('returns one result for a ref that the request names twice', async () => {
    expect(await decode(stack.app, run, ['1:0', '1:0'])).toHaveLength(1);
  });

  it('does not find the run under another workflow id, namespace or run id', async () => {
    const paths = [
      runPath({ ...run, workflowId: 'another-workflow' }),
      runPath({ ...run, runId: randomUUID() }),
      runPath(run).replace(NAMESPACE, 'orders'),
    ];
    for (const path of paths) {
      expect((await get(stack.app, `${path}/history`)).status).toBe(404);
      const response = await post(stack.app, `${path}/payloads:decode`, { refs: ['1:0'] });
      expect([response.status, await response.json()]).toEqual([
        404,
        { error: { code: 'not_found', message: expect.any(String) } },
      ]);
    }
  });
});

describe('a waiting workflow', () => {
  it('is described with its pending activity, failure details and child, and the child with its parent', async () => {
    const handle = await stack.start('pending', [SECRET]);
    const described = async (workflowId: string) =>
      workflowDescription.parse(
        await (await get(stack.app, `/api/namespaces/${NAMESPACE}/workflows/${workflowId}`)).json(),
      );
    const description = await eventually(async () => {
      const now = await described(handle.workflowId);
      expect(now.payloads.map(({ path }) => path)).toContainEqual(expect.stringContaining('lastFailure'));
      expect(now.relations.children).toHaveLength(1);
      return now;
    });
    expect(JSON.stringify(description)).not.toContain(SECRET);
    expect(description.details).toMatchObject({
      pendingActivities: [
        { activityType: { name: 'fails' }, attempt: 2, state: 'PENDING_ACTIVITY_STATE_SCHEDULED' },
      ],
    });
    const detail = description.payloads.find(({ path }) => path.includes('lastFailure'))!;
    const run = await runOf(handle);
    const [decoded] = await decode(stack.app, run, [detail.ref]);
    expect(valueOf(decoded)).toBe(`"${SECRET}"`);

    const [child] = description.relations.children;
    expect(child).toMatchObject({ type: 'waiting' });
    expect((await described(child!.workflowId)).relations).toMatchObject({ parent: run, root: run });
    await stack.client.workflow.getHandle(child!.workflowId).signal(finish, '');
    await handle.terminate();
  });
});

describe('a failed workflow', () => {
  it('is decoded with its failure’s message, details and causes', async () => {
    const run = await runFailing(stack, SECRET);
    const failed = (await history(stack.app, run)).at(-1)!;
    const values = await plaintexts(stack.app, run, failed.payloads);
    const byPath = Object.fromEntries(failed.payloads.map(({ path, ref }) => [path, values.get(ref)]));
    expect(byPath).toEqual({
      'failure.applicationFailureInfo.details.payloads[0]': `"${SECRET} outer detail"`,
      'failure.cause.applicationFailureInfo.details.payloads[0]': `"${SECRET} inner detail"`,
      'failure.cause.encodedAttributes': expect.stringContaining(`"message":"${SECRET} inner"`),
      'failure.encodedAttributes': expect.stringContaining(`"message":"${SECRET} outer"`),
    });
    expect(failed.attributes).toMatchObject({
      failure: { message: 'Encoded failure', encodedAttributes: { $payload: expect.any(String) } },
    });
  });
});

describe('the workflow list', () => {
  beforeAll(async () => {
    const handles = await Promise.all([1, 2, 3, 4].map((n) => stack.start('child', [String(n)])));
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('contains a namespace’s workflows, page by page', async () => {
    const seen: string[] = [];
    let token: string | undefined;
    await eventually(async () => {
      seen.length = 0;
      token = undefined;
      do {
        const next = token === undefined ? '' : `&pageToken=${token}`;
        const response = await get(stack.app, `/api/namespaces/${NAMESPACE}/workflows?pageSize=2${next}`);
        const page = workflowList.parse(await response.json());
        seen.push(...page.workflows.map(({ runId }) => runId));
        token = page.nextPageToken;
      } while (token !== undefined);
      expect(seen.length).toBeGreaterThan(5);
      // A workflow that closes between two pages moves down the list, so the test repeats until no workflow
      // moves.
      expect(new Set(seen).size).toBe(seen.length);
    });
  });

  it('has counts of runs by status, for all workflows and for a query', async () => {
    await eventually(async () => {
      const all = workflowCount.parse(
        await (await get(stack.app, `/api/namespaces/${NAMESPACE}/workflows:count`)).json(),
      );
      expect(all.byStatus.Completed).toBeGreaterThan(2);
      expect(Object.values(all.byStatus).reduce((sum, n) => sum + n, 0)).toBe(all.total);
      const query = encodeURIComponent('WorkflowType = "fails" OR WorkflowType = "nothing"');
      const path = `/api/namespaces/${NAMESPACE}/workflows:count?query=${query}`;
      expect(await (await get(stack.app, path)).json()).toEqual({ total: 1, byStatus: { Failed: 1 } });
    });
  });

  it.each(['workflows', 'workflows:count'])(
    "returns Temporal's message for an invalid query to %s",
    async (what) => {
      const query = encodeURIComponent('NoSuchAttribute = 1');
      const response = await get(stack.app, `/api/namespaces/${NAMESPACE}/${what}?query=${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        error: { code: 'invalid_query', message: expect.stringContaining('NoSuchAttribute') },
      });
    },
  );

  it.each([
    ['workflows', 'ExecutionStatus = = 1'],
    ['workflows:count', 'ExecutionStatus = "Failed" AND ('],
  ])(
    'explains a syntax error in a query to %s without repeating Temporal’s SQL: %s',
    async (route, query) => {
      const path = `/api/namespaces/${NAMESPACE}/${route}?query=${encodeURIComponent(query)}`;
      expect(await (await get(stack.app, path)).json()).toEqual({
        error: {
          code: 'invalid_query',
          message: 'Temporal rejected the query: syntax error. Check the operators, quotes and parentheses.',
        },
      });
    },
  );

  it.each(['workflows?query=', 'workflows:count?query=', 'workflows:types?prefix='])(
    'refuses a null character in %s, because Temporal fails on null characters',
    async (what) => {
      const response = await get(stack.app, `/api/namespaces/${NAMESPACE}/${what}a%00b`);
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { error: { code: 'bad_request' } },
      ]);
    },
  );
});

describe('a workflow id with special characters', () => {
  it.each(['a/b', '100%', 'ü ☃', 'with space', 'x:y', '50%25', 'q?a=b#c', 'a+b'])(
    'is accepted in paths: %s',
    async (workflowId) => {
      const handle = await stack.start('child', ['v'], { workflowId });
      await handle.result();
      const run = await runOf(handle);
      const events = await history(stack.app, run);
      expect(valueOf((await decode(stack.app, run, ['1:0']))[0])).toBe('"v"');
      expect(events.at(-1)!.eventName).toBe('WorkflowExecutionCompleted');
      const response = await get(
        stack.app,
        `/api/namespaces/${NAMESPACE}/workflows/${encodeURIComponent(workflowId)}`,
      );
      expect(workflowDescription.parse(await response.json()).workflow.workflowId).toBe(workflowId);
    },
  );
});

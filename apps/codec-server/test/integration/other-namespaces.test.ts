import { randomUUID } from 'node:crypto';
import {
  type AuditEntry,
  type DecodeResult,
  readableExport,
  type RunFieldsFrame,
  runFieldsFrame,
  type SearchFrame,
  searchFrame,
  UNREADABLE_ENCODING,
  workflowDescription,
  workflowList,
} from '@temporal-kms/codec-api';
import proto from '@temporalio/proto';
import { describe, expect, it, vi } from 'vitest';
import { type Access, openAccess } from '../../src/access/access.ts';
import { ana } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { keys, type Payload, plain, post, recordedAudit } from '../support/stack.ts';
import {
  get,
  history,
  lines,
  NAMESPACE,
  plantRun,
  postTo,
  resultsOf,
  type Run,
  startStack,
} from '../support/temporal.ts';

/*
 * These tests simulate an attack. `payments` accepts messages of `orders`, so a caller with permissions only
 * in `payments` starts a workflow in `payments` with ciphertext that was copied from `orders`.
 */
const { CommandType } = proto.temporal.api.enums.v1;
const HOUR = proto.google.protobuf.Duration.fromObject({ seconds: 3_600 });

const SECRET = 'canary-of-orders';
const OWN = 'canary-of-payments';
const WORKFLOW = 'copied';

/**
 * Encrypts a value in a namespace. Also binds the message to the workflow id, which gives no protection here:
 * an attacker can copy the message into a workflow with the same id.
 */
const encrypted = async (value: string, namespace: string): Promise<Payload> => {
  const context = { type: 'activity', namespace, workflowId: WORKFLOW } as const;
  const [payload] = await stack.kms.codec.encode([plain(value)], context);
  return payload!;
};

const stack = forFile(
  await startStack({
    rules: {
      payments: { encrypt: keys.payments, accepts: ['orders', 'renamed'] },
      orders: { encrypt: keys.orders },
    },
  }),
);
const copied = await encrypted(SECRET, 'orders');
const run = await stack.connection.withDeadline(Date.now() + 30_000, plant);
const events = await history(stack.app, run);
const stubs = events.flatMap(({ payloads }) => payloads);

/**
 * Starts the workflow as any client of `payments` can, with the ciphertext in every place that a client or
 * worker can fill.
 */
async function plant(): Promise<Run> {
  const service = stack.connection.workflowService;
  const own = await encrypted(OWN, NAMESPACE);
  const taskQueue = { name: randomUUID() };
  const planted = await plantRun(stack, [copied, own], {
    workflowId: WORKFLOW,
    taskQueue,
    memo: { fields: { note: copied } },
    header: { fields: { trace: copied } },
    userMetadata: { summary: copied },
  });
  const task = await service.pollWorkflowTaskQueue({ namespace: NAMESPACE, taskQueue, identity: 'attacker' });
  await service.respondWorkflowTaskCompleted({
    namespace: NAMESPACE,
    taskToken: task.taskToken,
    commands: [
      {
        commandType: CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        scheduleActivityTaskCommandAttributes: {
          activityId: 'a',
          activityType: { name: 'any' },
          taskQueue,
          input: { payloads: [copied] },
          scheduleToCloseTimeout: HOUR,
          heartbeatTimeout: HOUR,
        },
      },
    ],
  });
  const activity = await service.pollActivityTaskQueue({
    namespace: NAMESPACE,
    taskQueue,
    identity: 'attacker',
  });
  await service.recordActivityTaskHeartbeat({
    namespace: NAMESPACE,
    taskToken: activity.taskToken,
    details: { payloads: [copied] },
  });
  return planted;
}

const own = { payments: ['metadata', 'decode', 'search', 'export'] } as const;
const everywhere = { ...own, orders: ['decode', 'search', 'export'] } as const;

/** Returns a replica for these callers. All replicas share the codec, and thus the cached data keys. */
function replica(access: Access, isWritable: (entry: AuditEntry) => boolean = () => true) {
  const { audit, entries: audited } = recordedAudit(isWritable);
  const app = stack.replica({ access, audit });
  return {
    app,
    audited,
    decode: async (refs: string[], more: object = {}): Promise<DecodeResult[]> =>
      resultsOf(await postTo(app, run, 'payloads:decode', { refs, ...more })),
    search: async (text: string, more: object = {}): Promise<SearchFrame[]> =>
      Array.fromAsync(lines(await postTo(app, run, 'history:search', { text, ...more }), searchFrame)),
    fields: async (): Promise<RunFieldsFrame[]> => {
      const path = `/api/namespaces/${NAMESPACE}/workflows:decode-fields`;
      const response = await post(app, path, { query: `WorkflowId = "${WORKFLOW}"` });
      return Array.fromAsync(lines(response, runFieldsFrame));
    },
    export: async (form: string, more: object = {}): Promise<string> =>
      (await postTo(app, run, 'history:export', { form, ...more })).text(),
  };
}

const refs = (): string[] => stubs.map(({ ref }) => ref);
const isOwn = ({ path, ref }: { path?: string; ref: string }): boolean =>
  (path ?? stubs.find((stub) => stub.ref === ref)?.path) === 'input.payloads[1]';
const secretIn = (text: string): boolean =>
  text.includes(SECRET) || text.includes(Buffer.from(JSON.stringify(SECRET)).toString('base64'));

describe('a caller without permissions in the namespace of copied messages', () => {
  it('gets the fields of its own payloads from workflows:decode-fields, but no field of a copied message', async () => {
    const { fields, audited } = replica(ana(own));
    // Temporal's visibility store is updated after the workflow has started.
    const [listed] = await vi.waitFor(
      async () => {
        const frames = await fields();
        expect(frames).toHaveLength(2);
        return frames;
      },
      { timeout: 20_000, interval: 500 },
    );
    expect(listed).toMatchObject({
      fields: {
        'input.unreadable': 'namespace_not_permitted',
        input2: OWN,
        'memo.note.unreadable': 'namespace_not_permitted',
      },
      unreadable: { namespace_not_permitted: 2 },
    });
    expect(secretIn(JSON.stringify(listed))).toBe(false);
    expect(audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([{ event: 'denied' }]);
    expect(secretIn(JSON.stringify(await replica(ana(everywhere)).fields()))).toBe(true);
  });

  it('gets the plaintext of its own payloads from payloads:decode, but of no copied message', async () => {
    const results = await replica(ana(own)).decode(refs());
    expect(results).toHaveLength(stubs.length);
    for (const result of results) {
      if (isOwn(result)) expect(result).toMatchObject({ ok: true });
      else
        expect(result).toMatchObject({ ok: false, reason: 'namespace_not_permitted', namespace: 'orders' });
    }
    expect(secretIn(JSON.stringify(results))).toBe(false);
  });

  it('gets no plaintext of messages in a workflow’s description: memo, summary, heartbeat and header', async () => {
    const { app, decode } = replica(ana(own));
    const path = `/api/namespaces/payments/workflows/${WORKFLOW}`;
    const { payloads } = workflowDescription.parse(await (await get(app, path)).json());
    expect(payloads.map((stub) => stub.path)).toEqual(
      expect.arrayContaining(['pendingActivities[0].heartbeatDetails.payloads[0]']),
    );
    for (const stub of payloads) expect(stub).toMatchObject({ namespace: 'orders' });
    const results = await decode(payloads.map(({ ref }) => ref));
    expect(results).toHaveLength(payloads.length);
    for (const result of results)
      expect(result).toMatchObject({ ok: false, reason: 'namespace_not_permitted' });
  });

  it('learns from a search only how many payloads are unreadable', async () => {
    const found = await replica(ana(own)).search('canary-of');
    expect(found.filter(({ type }) => type === 'hit')).toMatchObject([{ path: 'input.payloads[1]' }]);
    expect(found.at(-1)).toMatchObject({
      type: 'end',
      hits: 1,
      payloads: 1,
      unreadable: { namespace_not_permitted: stubs.length - 1 },
    });
  });

  it('gets the copied messages in exports as unreadable payloads that name the namespace', async () => {
    const { export: exported } = replica(ana(own));
    const decoded = await exported('decoded');
    expect(secretIn(decoded)).toBe(false);
    const [, first] = /"payloads":(\[[^\]]*\])/.exec(decoded)!;
    const metadata: Record<string, string> = JSON.parse(first!)[0].metadata;
    const text = (name: string) => Buffer.from(metadata[name]!, 'base64').toString();
    expect([text('encoding'), text('reason'), text('namespace')]).toEqual([
      UNREADABLE_ENCODING,
      'namespace_not_permitted',
      'orders',
    ]);
    const readable = await exported('readable');
    expect(secretIn(readable)).toBe(false);
    expect(readable).toContain(OWN);
    expect(readableExport.parse(JSON.parse(readable)).summary.unreadable).toEqual({
      namespace_not_permitted: stubs.length - 1,
    });
    expect(readable).toContain('"reason":"namespace_not_permitted"');
  });

  it('sees the namespace of each copied payload in the history, and that decoding is not permitted', async () => {
    const { app } = replica(ana(own));
    const shown = (await history(app, run)).flatMap(({ payloads }) => payloads);
    for (const stub of shown) {
      if (isOwn(stub)) expect(stub.namespace).toBeUndefined();
      else expect(stub).toMatchObject({ namespace: 'orders', reason: 'namespace_not_permitted' });
    }
  });

  it('causes one `denied` entry per request, and no intent, in the other namespace’s audit', async () => {
    const { decode, audited } = replica(ana(own));
    await decode(refs());
    expect(audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([
      { event: 'denied', denied: 'forbidden', operation: 'decode', requestNamespace: 'payments', ...run },
    ]);
    expect(audited.at(-1)).toMatchObject({
      event: 'outcome',
      namespace: 'payments',
      outcome: { payloads: 1, refused: { namespace_not_permitted: stubs.length - 1 } },
    });
  });

  it('cannot decrypt messages that another caller has just decrypted with the same cached data key', async () => {
    const permitted = replica(ana(everywhere));
    const refused = replica(ana(own));
    for (let n = 0; n < 3; n += 1) {
      expect(await permitted.decode(['1:0'])).toMatchObject([{ ok: true }]);
      expect(await refused.decode(['1:0'])).toMatchObject([{ ok: false, reason: 'namespace_not_permitted' }]);
    }
    const [both, none] = await Promise.all([permitted.decode(refs()), refused.decode(refs())]);
    expect(both.every(({ ok }) => ok)).toBe(true);
    expect(none.filter(({ ok }) => ok)).toHaveLength(1);
  });

  it.each(['metadata', 'encode', 'audit'] as const)(
    'cannot decrypt the messages with only the permission `%s` in the other namespace',
    async (permission) => {
      const results = await replica(ana({ ...own, orders: [permission] })).decode(['1:0']);
      expect(results).toMatchObject([{ ok: false, reason: 'namespace_not_permitted' }]);
    },
  );

  it('cannot search or export the messages with only the permission `decode`, or decode them with only the permission `export`', async () => {
    const decodes = replica(ana({ ...own, orders: ['decode'] }));
    expect(await decodes.decode(['1:0'])).toMatchObject([{ ok: true }]);
    expect((await decodes.search(SECRET)).filter(({ type }) => type === 'hit')).toEqual([]);
    expect(secretIn(await decodes.export('decoded'))).toBe(false);
    const exports = replica(ana({ ...own, orders: ['export'] }));
    expect(secretIn(await exports.export('decoded'))).toBe(true);
    expect(await exports.decode(['1:0'])).toMatchObject([{ ok: false }]);
  });
});

describe('a caller with permissions in both namespaces', () => {
  it('can decode everything, and each namespace’s audit counts its own payloads and keys', async () => {
    const { decode, audited } = replica(ana(everywhere));
    const results = await decode(refs(), { justification: 'ticket 4711' });
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(results.find(({ ref }) => ref === '1:0')).toMatchObject({ namespace: 'orders' });
    expect(audited.slice(0, 2)).toMatchObject([
      { event: 'intent', namespace: 'payments', justification: 'ticket 4711' },
      {
        event: 'intent',
        namespace: 'orders',
        requestNamespace: 'payments',
        justification: 'ticket 4711',
        ...run,
      },
    ]);
    const outcomes = audited.filter(({ event }) => event === 'outcome');
    expect(outcomes.find(({ namespace }) => namespace === 'payments')?.outcome).toMatchObject({
      result: 'complete',
      payloads: 1,
      keys: [{ name: keys.payments, payloads: 1 }],
    });
    expect(outcomes.find(({ namespace }) => namespace === 'orders')?.outcome).toMatchObject({
      result: 'complete',
      payloads: stubs.length - 1,
      keys: [{ name: keys.orders, payloads: stubs.length - 1 }],
    });
    expect(audited).toHaveLength(4);
  });

  it('can search and export everything, with entries in both namespaces’ audits', async () => {
    const { search, export: exported, audited } = replica(ana(everywhere));
    const found = await search('canary-of');
    expect(found.at(-1)).toMatchObject({ hits: stubs.length, unreadable: {} });
    expect(secretIn(await exported('readable'))).toBe(true);
    expect(audited.map(({ event, operation, namespace }) => [event, operation, namespace])).toEqual(
      ['search', 'export'].flatMap((operation) => [
        ['intent', operation, 'payments'],
        ['intent', operation, 'orders'],
        ['outcome', operation, 'payments'],
        ['outcome', operation, 'orders'],
      ]),
    );
  });

  it('cannot see one namespace’s workflow ids in another namespace’s recent failures', async () => {
    await using other = stack.kms.another();
    const app = stack.replica({ access: ana(everywhere), codec: other.codec, keyUse: other.use });
    stack.kms.emulator.injectFault({
      method: 'Decrypt',
      effect: { kind: 'error', status: 'PERMISSION_DENIED' },
    });
    await (await postTo(app, run, 'payloads:decode', { refs: ['1:0'] })).text();
    stack.kms.emulator.clearFaults();
    const failures = other.use.of('orders').failures();
    expect(failures).toMatchObject([{ reason: 'permission_denied' }]);
    expect(JSON.stringify(failures)).not.toContain(WORKFLOW);
  });
});

describe('a namespace that decrypts on demand', () => {
  it('also requires a justification for its messages in other namespaces’ histories', async () => {
    const { decode, search, audited } = replica(ana(everywhere, ['orders']));
    const [refused] = await decode(['1:0']);
    expect(refused).toMatchObject({ ok: false, reason: 'namespace_not_permitted', namespace: 'orders' });
    expect(refused).toMatchObject({ message: expect.stringContaining('justification') });
    expect((await search(SECRET)).filter(({ type }) => type === 'hit')).toEqual([]);
    expect(audited.filter(({ namespace }) => namespace === 'orders')).toMatchObject([
      { event: 'denied', denied: 'justification_required', operation: 'decode' },
      { event: 'denied', denied: 'justification_required', operation: 'search' },
    ]);
    expect(await decode(['1:0'], { justification: 'ticket 4711' })).toMatchObject([{ ok: true }]);
  });

  it('requires the permission `decode` in addition to a justification', async () => {
    const { decode } = replica(ana(own, ['orders']));
    expect(await decode(['1:0'], { justification: 'ticket 4711' })).toMatchObject([{ ok: false }]);
  });
});

it('decrypts everything except messages of a namespace whose audit cannot be written', async () => {
  const { decode, audited } = replica(ana(everywhere), ({ namespace }) => namespace !== 'orders');
  const results = await decode(refs());
  expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  expect(results.find(({ ref }) => ref === '1:0')).toMatchObject({
    ok: false,
    reason: 'namespace_not_permitted',
    message: expect.stringContaining('No audit.'),
  });
  expect(audited.map(({ event, namespace }) => [event, namespace])).toEqual([
    ['intent', 'payments'],
    ['outcome', 'payments'],
  ]);
});

it('decrypts for every caller if there is no authentication, with entries in both namespaces’ audits', async () => {
  const { decode, audited } = replica(openAccess);
  expect((await decode(refs())).every(({ ok }) => ok)).toBe(true);
  expect(audited.map(({ event, namespace }) => `${event} ${namespace}`)).toEqual([
    'intent payments',
    'intent orders',
    'outcome payments',
    'outcome orders',
  ]);
});

it('reports, in a list of workflows, the namespace that a memo’s payload names', async () => {
  const { app } = replica(ana(own));
  const listed = workflowList.parse(await (await get(app, '/api/namespaces/payments/workflows')).json());
  expect(listed.workflows[0]?.memo).toMatchObject([
    { namespace: 'orders', reason: 'namespace_not_permitted' },
  ]);
});

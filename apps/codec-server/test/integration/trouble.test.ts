import { cryptoHealth, type PayloadRef, payloadRefOf } from '@temporal-kms/codec-api';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { createTemporalService, interceptors } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { bodyOf, damaged, keys, post } from '../support/stack.ts';
import {
  decode,
  eventually,
  get,
  history,
  lines,
  NAMESPACE,
  postTo,
  type Run,
  runOf,
  type Stack,
  startStack,
  valueOf,
} from '../support/temporal.ts';

const stack = forFile(await startStack());

const jsonPayload = (value: unknown) => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});
const VERSION_1 = `${keys.payments}/cryptoKeyVersions/1`;
const health = async (app: Stack['app']) => cryptoHealth.parse(await (await get(app, '/api/health')).json());

/**
 * Starts a run whose payloads are encrypted, damaged, plaintext, from another namespace, or in external
 * storage.
 */
async function mixed(): Promise<{ run: Run; refs: Record<string, PayloadRef> }> {
  // Uses a task queue without a worker, because a worker would fail on these payloads.
  const handle = await stack.start('everywhere', ['input'], { taskQueue: 'no-worker' });
  const run = await runOf(handle);
  const encoded = async (value: string, namespace: string) => {
    return (await stack.kms.codec.encode([jsonPayload(value)], { namespace }))[0]!;
  };
  const signal = async (signalName: string, payload: object): Promise<void> => {
    await stack.connection.workflowService.signalWorkflowExecution({
      namespace: NAMESPACE,
      workflowExecution: run,
      signalName,
      input: { payloads: [payload] },
      header: { fields: { trace: jsonPayload('header') } },
    });
  };
  await signal('encrypted', await encoded('encrypted', NAMESPACE));
  await signal('damaged', damaged(await encoded('damaged', NAMESPACE)));
  await signal('plain', jsonPayload('plain'));
  await signal('foreign', await encoded('foreign', 'orders'));
  await signal('reference', {
    metadata: {
      encoding: Buffer.from('json/protobuf'),
      messageType: Buffer.from('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: Buffer.from('{}'),
  });
  const events = await history(stack.app, run);
  const refs: Record<string, PayloadRef> = { input: payloadRefOf(1, 0) };
  for (const event of events) {
    const name = event.attributes['signalName'];
    if (typeof name !== 'string') continue;
    for (const { path, ref } of event.payloads)
      refs[path.startsWith('header') ? `${name} header` : name] = ref;
  }
  return { run, refs };
}

describe('a history with payloads of every kind', () => {
  it('is decoded with a separate result for each payload', async () => {
    const { run, refs } = await mixed();
    const results = await decode(stack.app, run, Object.values(refs));
    const byRef = new Map(results.map((result) => [result.ref, result]));
    const of = (name: string) => byRef.get(refs[name]!);
    expect(results).toHaveLength(Object.keys(refs).length);
    expect(valueOf(of('input'))).toBe('"input"');
    expect(valueOf(of('encrypted'))).toBe('"encrypted"');
    expect(of('encrypted')).toMatchObject({ ok: true, key: { name: keys.payments, version: 1 } });
    expect(of('encrypted')).not.toHaveProperty('warning');
    expect(of('damaged')).toMatchObject({ ok: false, reason: 'integrity_failed' });
    expect(of('plain')).toMatchObject({ ok: true, warning: 'not_encrypted' });
    expect(of('foreign')).toMatchObject({ ok: false, reason: 'namespace_mismatch' });
    expect(of('reference')).toMatchObject({ ok: true, warning: 'external_reference' });
    for (const [name, ref] of Object.entries(refs).filter(([key]) => key.endsWith(' header'))) {
      expect([name, valueOf(byRef.get(ref))]).toEqual([name, '"header"']);
      expect(byRef.get(ref)).not.toHaveProperty('warning');
    }
    const stubs = (await history(stack.app, run)).flatMap(({ payloads }) => payloads);
    const reason = (name: string) => stubs.find(({ ref }) => ref === refs[name])?.reason;
    expect([
      reason('plain'),
      reason('plain header'),
      reason('foreign'),
      reason('reference'),
      reason('encrypted'),
    ]).toEqual(['not_encrypted', undefined, 'namespace_mismatch', 'external_reference', undefined]);
  });
});

describe('a disabled key version', () => {
  it('is reported with the key, version and reason code, and affects only payloads under that version', async () => {
    const { run, refs } = await mixed();
    await using other = stack.kms.another();
    await stack.kms.emulator.setVersionState(VERSION_1, 'DISABLED');
    const app = stack.replica({ codec: other.codec });
    const results = await decode(app, run, [refs['input']!, refs['plain']!]);
    await stack.kms.emulator.setVersionState(VERSION_1, 'ENABLED');
    const of = (name: string) => results.find(({ ref }) => ref === refs[name]);
    expect(of('input')).toMatchObject({
      ok: false,
      reason: 'key_disabled',
      key: { name: keys.payments, version: 1 },
    });
    expect(of('plain')).toMatchObject({ ok: true });
  });
});

describe('a Cloud KMS outage', () => {
  it('affects only payloads that need a Cloud KMS call, is reported by /api/health, and needs no restart to recover', async () => {
    const handle = await stack.start('everywhere', ['input']);
    const run = await runOf(handle);
    const other = stack.kms.another();
    const app = stack.replica({ codec: other.codec, kms: other.watch });
    expect((await health(app)).kms).toEqual({ status: 'unknown', emulator: true });

    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    expect((await history(app, run))[0]!.payloads[0]).not.toHaveProperty('reason');
    const [refused] = await decode(app, run, ['1:0']);
    expect(refused).toMatchObject({ ok: false, reason: 'kms_unavailable', message: expect.any(String) });
    expect((await health(app)).kms).toEqual({ status: 'failing', reason: 'kms_unavailable', emulator: true });
    const ready = await app.request('/readyz');
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { status: 'ready', kms: { status: 'failing' } },
    ]);
    expect((await get(app, `/api/namespaces/${NAMESPACE}/workflows`)).status).toBe(200);

    stack.kms.emulator.clearFaults();
    expect(valueOf((await decode(app, run, ['1:0']))[0])).toBe('"input"');
    expect((await health(app)).kms).toMatchObject({ status: 'ok', lastOk: expect.stringMatching(/^20.*Z$/) });
    // On a busy machine, Temporal may respond too late for one health check.
    await expect.poll(async () => (await health(app)).temporal).toEqual({ status: 'ok' });
    await other[Symbol.asyncDispose]();
    await handle.terminate();
  });

  it('makes /decode return 503 with Retry-After, except for payloads under cached data keys', async () => {
    await using other = stack.kms.another();
    const app = stack.replica({ codec: other.codec });
    const plain = bodyOf([jsonPayload('v')]);
    const own = await (await post(app, '/encode', plain)).text();
    const unknown = bodyOf(await stack.kms.codec.encode([jsonPayload('v')], { namespace: NAMESPACE }));
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const response = await post(app, '/decode', unknown);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, expect.any(String)]);
    expect(await response.text()).toContain('kms_unavailable');
    expect((await post(app, '/decode', own)).status).toBe(200);
    expect((await post(app, '/encode', plain)).status).toBe(200);
    stack.kms.emulator.clearFaults();
    expect((await post(app, '/decode', unknown)).status).toBe(200);
  });

  it('does not delay a result that does not need Cloud KMS', async () => {
    const { run, refs } = await mixed();
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
    const asked = { refs: [refs['input'], refs['plain'], refs['foreign']] };
    const app = stack.replica({ codec: other.codec });
    const response = await postTo(app, run, 'payloads:decode', asked);
    const seen: string[] = [];
    for await (const frame of lines(response, { parse: (value: any) => value }))
      if (frame.ref !== undefined) seen.push(frame.ref);
    stack.kms.emulator.clearFaults();
    expect(seen.at(-1)).toBe(refs['input']);
    expect(seen).toHaveLength(3);
  });
});

describe('a Temporal outage', () => {
  it('makes the history API return 503 with Retry-After, while /decode still works', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1', interceptors });
    const app = stack.replica({ temporal: createTemporalService(connection) });
    const response = await get(app, `/api/namespaces/${NAMESPACE}/workflows`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.json()).toMatchObject({ error: { code: 'temporal_unavailable' } });
    expect((await health(app)).temporal).toEqual({ status: 'unavailable' });
    expect((await app.request('/readyz')).status).toBe(200);
    expect((await post(app, '/decode', '{}')).status).toBe(200);
    await connection.close();
  });
});

describe('a Temporal server that sends raw history', () => {
  it('can be read like any other Temporal server', async () => {
    const raw = await startStack({ dynamicConfig: { 'frontend.sendRawWorkflowHistory': true } });
    try {
      const handle = await raw.start('child', ['v']);
      const run = await runOf(handle);
      // The SDK's client cannot read raw history, so `result()` would fail.
      await eventually(async () => expect((await handle.describe()).status.name).toBe('COMPLETED'));
      const response = await raw.connection.workflowService.getWorkflowExecutionHistory({
        namespace: NAMESPACE,
        execution: run,
      });
      expect(response.rawHistory.length).toBeGreaterThan(0);
      const events = await history(raw.app, run);
      expect(events.at(-1)).toMatchObject({ eventName: 'WorkflowExecutionCompleted', durable: true });
      expect(valueOf((await decode(raw.app, run, ['1:0']))[0])).toBe('"v"');
    } finally {
      await raw.close();
    }
  });
});

async function rawInput(run: Run) {
  const { history: raw } = await stack.connection.workflowService.getWorkflowExecutionHistory({
    namespace: NAMESPACE,
    execution: run,
  });
  const [payload] = raw!.events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads!;
  return { data: Buffer.from(payload!.data!).toString('base64') };
}

describe('a workflow started without a codec', () => {
  it('has plaintext in its history, which shows that the searches for plaintext work', async () => {
    const bare = new Client({ connection: stack.connection, namespace: NAMESPACE });
    const handle = await bare.workflow.start('everywhere', {
      args: ['canary-77'],
      taskQueue: 'no-worker',
      workflowId: 'bare',
    });
    const run = { workflowId: 'bare', runId: handle.firstExecutionRunId };
    const { data } = JSON.parse(JSON.stringify(await rawInput(run)));
    expect(Buffer.from(data, 'base64').toString()).toBe('"canary-77"');
    const [result] = await decode(stack.app, run, ['1:0']);
    expect(result).toMatchObject({ ok: true, warning: 'not_encrypted' });
    await handle.terminate();
  });
});

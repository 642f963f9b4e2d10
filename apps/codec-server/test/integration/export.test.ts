import { randomBytes } from 'node:crypto';
import { readableExport, UNREADABLE_ENCODING } from '@temporal-kms/codec-api';
import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { createTemporalService } from '../../src/temporal/service.ts';
import { onDemandAccess, signedInFor } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { silent } from '../support/silent.ts';
import { recordedAudit } from '../support/stack.ts';
import {
  NAMESPACE,
  plantRun,
  postTo,
  type Run,
  runEverywhere,
  runFailing,
  runOf,
  startStack,
  temporalCli,
  workflowCode,
} from '../support/temporal.ts';

const SECRET = 'canary-41aa9e';

const stack = forFile(await startStack({ searchAttributes: { Customer: 'Keyword' } }));
const run = await runEverywhere(stack, SECRET, {
  searchAttributes: { Customer: ['acme'] },
  workflowId: 'export/me "now"',
});
const failed = await runFailing(stack, SECRET);

type Form = 'encoded' | 'decoded' | 'readable';

const postExport = (of: Run, form: Form, app = stack.app, more: object = {}): Promise<Response> =>
  postTo(app, of, 'history:export', { form, ...more });
const exported = async (of: Run, form: Form, app = stack.app): Promise<any> =>
  (await postExport(of, form, app)).json();

async function cliShow({ workflowId, runId }: Run): Promise<any> {
  const of = ['--workflow-id', workflowId, '--run-id', runId];
  return JSON.parse(await temporalCli(stack, ['workflow', 'show', '--output', 'json', ...of]));
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');

describe('an encoded export', () => {
  it.each(['everywhere', 'fails'])(
    "equals the output of Temporal's CLI for the workflow %s",
    async (which) => {
      const of = which === 'fails' ? failed : run;
      expect(await exported(of, 'encoded')).toEqual(await cliShow(of));
    },
  );

  it('contains no plaintext, decrypts nothing and requires no justification', async () => {
    await using other = stack.kms.another();
    const before = stack.kms.emulator.calls.rows().length;
    const app = stack.replica({ codec: other.codec, access: onDemandAccess });
    const response = await postExport(run, 'encoded', app);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).not.toContain(base64(`"${SECRET}`).slice(0, 12));
    expect(stack.kms.emulator.calls.rows().length).toBe(before);
  });

  it('contains only the requested events, in the form in which Temporal stores them', async () => {
    const { events } = await exported(run, 'encoded');
    const response = await postExport(run, 'encoded', stack.app, { events: { first: 3, last: 5 } });
    expect(await response.json()).toEqual({ events: events.slice(2, 5) });
  });

  it.each([
    ['beyond the end', { first: 1, last: 100_000 }],
    ['in reverse order', { first: 3, last: 2 }],
    ['before the first event', { first: 0, last: 2 }],
  ])('is refused for events %s', async (_, events) => {
    const response = await postExport(run, 'encoded', stack.app, { events });
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  it.each(['everywhere', 'fails'])(
    'of the workflow %s can be replayed by a worker with the codec',
    async (which) => {
      const of = which === 'fails' ? failed : run;
      const plugins = [new KmsCodecPlugin(stack.kms.codec.forNamespace(NAMESPACE))];
      const workflowBundle = await workflowCode(plugins);
      await Worker.runReplayHistory(
        { workflowBundle, plugins },
        await exported(of, 'encoded'),
        of.workflowId,
      );
    },
  );
});

describe('a decoded export', () => {
  it.each(['everywhere', 'fails'])(
    'of the workflow %s can be replayed by a worker without a codec',
    async (which) => {
      const of = which === 'fails' ? failed : run;
      const workflowBundle = await workflowCode();
      await Worker.runReplayHistory({ workflowBundle }, await exported(of, 'decoded'), of.workflowId);
    },
  );

  it('differs from the encoded export only in the payloads', async () => {
    const [encoded, decoded] = await Promise.all([exported(run, 'encoded'), exported(run, 'decoded')]);
    expect(blank(decoded)).toEqual(blank(encoded));
    expect(JSON.stringify(decoded)).toContain(base64(`"${SECRET} result"`));
  });

  it('replaces an unreadable payload with a payload that no converter accepts', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const decoded = await exported(run, 'decoded', stack.replica({ codec: other.codec }));
    stack.kms.emulator.clearFaults();
    const [payload] = decoded.events[0].workflowExecutionStartedEventAttributes.input.payloads;
    expect(payload.data).toBeUndefined();
    const metadata = Object.entries<string>(payload.metadata).map(([name, value]) => [
      name,
      Buffer.from(value, 'base64').toString(),
    ]);
    expect(Object.fromEntries(metadata)).toEqual({
      encoding: UNREADABLE_ENCODING,
      reason: 'kms_unavailable',
      ref: expect.stringMatching(/^1:\d+$/),
      key: expect.stringContaining('cryptoKeys/payments'),
      'key-version': '1',
    });
    const workflowBundle = await workflowCode();
    await expect(Worker.runReplayHistory({ workflowBundle }, decoded, run.workflowId)).rejects.toThrow();
  });
});

describe('a readable export', () => {
  it("contains each payload's JSON in place of the payload, and a summary of the export", async () => {
    const readable = readableExport.parse(await exported(run, 'readable'));
    const [started]: any[] = readable.events;
    expect(started.workflowExecutionStartedEventAttributes).toMatchObject({
      input: { payloads: [SECRET] },
      memo: { fields: { customer: `${SECRET} memo` } },
    });
    expect(started.userMetadata.summary).toBe(`${SECRET} summary`);
    expect(readable.summary).toMatchObject({ events: readable.events.length, unreadable: {} });
    expect(readable).toMatchObject({ namespace: NAMESPACE, ...run });
  });

  it('escapes invisible characters in names but not in decrypted values', async () => {
    const payload = 'as\u200bwritten';
    const handle = await stack.start('everywhere', [payload], {
      workflowId: 'order\u202e\u200b-1',
      taskQueue: 'no-worker',
    });
    const text = await (await postExport(await runOf(handle), 'readable')).text();
    expect(text).toContain('"workflowId":"order\\u202e\\u200b-1"');
    expect(text).toContain(JSON.stringify(payload));
    expect(readableExport.parse(JSON.parse(text)).workflowId).toBe(handle.workflowId);
  });

  it("contains a failure's message, stack trace and causes", async () => {
    const { events } = await exported(failed, 'readable');
    const { failure } = events.at(-1).workflowExecutionFailedEventAttributes;
    expect(failure.encodedAttributes.message).toBe(`${SECRET} outer`);
    expect(failure.cause.encodedAttributes.message).toBe(`${SECRET} inner`);
    expect(failure.applicationFailureInfo.details.payloads).toEqual([`${SECRET} outer detail`]);
  });

  it('contains the reason, ref and key of each unreadable payload, and counts unreadable payloads', async () => {
    await using other = stack.kms.another();
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const readable = await exported(run, 'readable', stack.replica({ codec: other.codec }));
    stack.kms.emulator.clearFaults();
    const [input] = readable.events[0].workflowExecutionStartedEventAttributes.input.payloads;
    expect(input).toEqual({
      $unreadable: {
        reason: 'kms_unavailable',
        ref: expect.stringMatching(/^1:\d+$/),
        key: { name: expect.stringContaining('payments'), version: 1 },
      },
    });
    expect(readable.summary.unreadable.kms_unavailable).toBeGreaterThan(10);
  });
});

describe('an export', () => {
  it('contains large payloads among small payloads, byte for byte', async () => {
    const bytes = randomBytes(600_001);
    const order = `{"note": "${'n'.repeat(300_000)}", "total": 1.50}`;
    const payloads = [
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"first"') },
      { metadata: { encoding: Buffer.from('binary/plain') }, data: bytes },
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(order) },
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"last"') },
    ];
    const planted = await plantRun(stack, await stack.kms.codec.encode(payloads, { namespace: NAMESPACE }));
    const [decoded = '', readable = ''] = await Promise.all(
      (['decoded', 'readable'] as const).map(async (form) => (await postExport(planted, form)).text()),
    );
    expect(inputOf(decoded)).toEqual(
      payloads.map(({ metadata, data }) => ({
        metadata: { encoding: metadata.encoding.toString('base64') },
        data: data.toString('base64'),
      })),
    );
    const $bytes = bytes.toString('base64');
    expect(inputOf(readable)).toEqual([
      'first',
      { $bytes, encoding: 'binary/plain' },
      JSON.parse(order),
      'last',
    ]);
    expect(readable).toContain(order);
  });

  it('has a file name of only letters, digits and ._-', async () => {
    const response = await postExport(run, 'decoded');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="export_me_now_.${run.runId}.decoded.json"`,
    );
    await response.body?.cancel();
  });

  it.each(['encoded', 'decoded', 'readable'] as const)(
    'is incomplete JSON with the reason in the last line if the token expires (form: %s)',
    async (form) => {
      const temporal = createTemporalService(stack.connection);
      const { audit, entries } = recordedAudit();
      const app = stack.replica({
        access: signedInFor(150),
        audit,
        temporal: { ...temporal, history: silent },
      });
      const text = await (await postExport(run, form, app)).text();
      expect(() => JSON.parse(text)).toThrow(SyntaxError);
      const last = text.trimEnd().split('\n').at(-1)!;
      expect(JSON.parse(last)).toEqual({ $truncated: { reason: 'signed_out', after: 0 } });
      expect(entries.at(-1)).toMatchObject({ outcome: { result: 'signed_out' } });
    },
  );

  it('is audited with its counts and the justification', async () => {
    const { audit, entries } = recordedAudit();
    await (
      await postExport(run, 'decoded', stack.replica({ audit }), { justification: 'for the auditors' })
    ).text();
    expect(entries).toMatchObject([
      { event: 'intent', operation: 'export', ...run, justification: 'for the auditors' },
      { event: 'outcome', outcome: { result: 'complete', refused: {} } },
    ]);
    expect(entries[1]!.outcome!.payloads).toBeGreaterThan(10);
  });
});

/** Returns the workflow's arguments from the text of an export. */
const inputOf = (text: string): any =>
  JSON.parse(text).events[0].workflowExecutionStartedEventAttributes.input.payloads;

/** Returns the value with each payload replaced by a constant. */
function blank(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(blank);
  if (value.metadata?.encoding !== undefined) return 'payload';
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, blank(field)]));
}

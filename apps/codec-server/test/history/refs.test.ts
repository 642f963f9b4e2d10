import { MAX_REFS } from '@temporal-kms/codec-api';
import { Random } from '@temporal-kms/testing/random';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { pageOf, temporalWith } from '../support/planted-run.ts';
import { RUN } from '../support/routes.ts';
import { appWith, headers, noTemporal, post, startKms } from '../support/stack.ts';

// Refs that a caller invents must never reach Temporal, so these tests record every call with its arguments.
const RUN_ID = RUN.split('/').at(-1)!;
const execution = { workflowId: 'w', runId: RUN_ID };
const calls: [string, unknown][] = [];
const spy: TemporalService = {
  ...noTemporal,
  describe: async (request) => {
    calls.push(['describe', request]);
    const response: any = { workflowExecutionInfo: { historyLength: 5 } };
    return response;
  },
  history: async (request) => {
    calls.push(['history', request]);
    const events = [1, 2, 3, 4, 5].map((eventId) => ({ eventId, eventType: 17, taskId: 1 }));
    return pageOf(events);
  },
};

const kms = forFile(await startKms());
beforeEach(() => void calls.splice(0));

const send = (path: string, body?: unknown): Promise<Response> | Response =>
  body === undefined
    ? appWith(kms, { temporal: spy }).request(path, { headers })
    : post(appWith(kms, { temporal: spy }), path, body);
const answerTo = async (response: Response): Promise<{ status: number; code: string; message: string }> => {
  const { error }: any = await response.json();
  return { status: response.status, ...error };
};
const codeOf = async (response: Response): Promise<unknown> => {
  const { status, code } = await answerTo(response);
  return [status, code];
};

it('rejects each of 2,000 refs of random bytes without a call to Temporal', async () => {
  const random = new Random(7);
  const invented = Array.from({ length: 2_000 }, (_, n) => {
    const bytes = Buffer.from(Array.from({ length: 1 + random.next() * 24 }, () => random.next() * 256));
    return [bytes.toString('latin1'), bytes.toString('base64'), `${bytes.toString('hex')}x:0`][n % 3]!;
  });
  for (let at = 0; at < invented.length; at += MAX_REFS - 1) {
    const refs = invented.slice(at, at + MAX_REFS - 1);
    const { status, ...response } = await answerTo(
      await send(`${RUN}/payloads:decode`, { refs: ['1:0', ...refs] }),
    );
    expect([status, response.code]).toEqual([400, 'bad_request']);
    // The response names each rejected ref.
    const refused = new Set(response.message.match(/(?<=\brefs\.)\d+/g)?.map(Number));
    expect(refused).toEqual(new Set(refs.map((_, n) => n + 1)));
  }
  expect(calls).toEqual([]);
});

it('walks an event with 45,000 payloads only once for a request with 200 refs', async () => {
  const payloads = Array.from({ length: 45_000 }, () => ({ data: Buffer.from('a') }));
  const event = {
    eventId: 1,
    eventType: 1,
    taskId: 1,
    workflowExecutionStartedEventAttributes: { input: { payloads } },
  };
  const app = appWith(kms, { temporal: temporalWith([event]) });
  const refs = Array.from({ length: 200 }, (_, n) => `1:${n}`);
  const begun = performance.now();
  const response = await post(app, `${RUN}/payloads:decode`, { refs });
  expect((await response.text()).match(/"ok":true/g)).toHaveLength(200);
  expect(performance.now() - begun).toBeLessThan(5_000);
});

it.each([
  [
    'in an event with more values than the server decodes',
    { coreUsedFlags: Array.from({ length: 60_000 }, () => 1) },
    {},
  ],
  ['with more than 64 external payloads', {}, { externalPayloads: Array.from({ length: 65 }, () => ({})) }],
])('returns `too_large` for a payload %s', async (_, sdkMetadata, summary) => {
  const event = {
    eventId: 1,
    eventType: 7,
    taskId: 1,
    userMetadata: { summary },
    workflowTaskCompletedEventAttributes: { sdkMetadata },
  };
  const app = appWith(kms, { temporal: temporalWith([event]) });
  const response = await post(app, `${RUN}/payloads:decode`, { refs: ['1:0'] });
  expect(await response.text()).toContain('"reason":"too_large"');
});

describe.each([['6:0'], ['51200:0'], ['9007199254740993:0'], ['9223372036854775807:0']])(
  'the ref %s, which only a longer run could have,',
  (ref) => {
    it("is rejected after a single call to Temporal, for the run's length", async () => {
      expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: [ref] }))).toEqual([
        400,
        'bad_request',
      ]);
      expect(calls).toEqual([['describe', { namespace: 'payments', execution }]]);
    });
  },
);

it.each(['0:281474976776192', '0:9007199254740993', '0:9999999999999999'])(
  'rejects the ref %s, which no description can contain',
  async (ref) => {
    expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: [ref] }))).toEqual([400, 'bad_request']);
    expect(calls.map(([call]) => call)).toEqual(['describe']);
  },
);

it('returns `event_not_found` for a ref that an earlier description may have contained', async () => {
  const response = await send(`${RUN}/payloads:decode`, { refs: ['0:281474976710655'] });
  const [first = ''] = (await response.text()).split('\n');
  expect(JSON.parse(first)).toMatchObject({ ref: '0:281474976710655', reason: 'event_not_found' });
});

it('rejects a ref to a payload that the event does not have, and sends no part of the ref to Temporal', async () => {
  expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: ['3:123456'] }))).toEqual([
    400,
    'bad_request',
  ]);
  expect(calls.map(([call]) => call)).toEqual(['describe', 'history']);
  expect(JSON.stringify(calls)).not.toContain('123456');
});

describe.each([
  ['a run id that is not a UUID', `/api/namespaces/payments/workflows/w/runs/latest`],
  [
    'a run id that contains a path',
    `/api/namespaces/payments/workflows/w/runs/${encodeURIComponent('../x')}`,
  ],
  [
    'a workflow id that is too long',
    `/api/namespaces/payments/workflows/${'w'.repeat(1_001)}/runs/${RUN_ID}`,
  ],
])('%s', (_, run) => {
  it.each([
    ['history', undefined],
    ['payloads:decode', { refs: ['1:0'] }],
    ['history:search', { text: 'x' }],
    ['history:export', { form: 'encoded' }],
  ])('is rejected by %s, which makes no call to Temporal', async (what, body) => {
    expect(await codeOf(await send(`${run}/${what}`, body))).toEqual([400, 'bad_request']);
    expect(calls).toEqual([]);
  });
});

it.each(['-1', '1.5', '1e3', '0x1', '9'.repeat(16), 'a', '%00'])(
  'rejects after=%s without a call to Temporal',
  async (after) => {
    expect(await codeOf(await send(`${RUN}/history?after=${after}`))).toEqual([400, 'bad_request']);
    expect(calls).toEqual([]);
  },
);

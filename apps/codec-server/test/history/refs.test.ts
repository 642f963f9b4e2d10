import { Random } from '@temporal-kms/testing/random';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TemporalService } from '../../src/temporal/service.ts';
import { appWith, HOST, type Kms, noTemporal, startKms } from '../support/stack.ts';

// What a caller makes up must never reach Temporal: every call is kept, with all that it was given.
const RUN_ID = '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
const RUN = `/api/namespaces/payments/workflows/w/runs/${RUN_ID}`;
const execution = { workflowId: 'w', runId: RUN_ID };
const calls: [string, unknown][] = [];
const spy: TemporalService = {
  ...noTemporal,
  describe: async (request) => {
    calls.push(['describe', request]);
    const answer: any = { workflowExecutionInfo: { historyLength: 5 } };
    return answer;
  },
  history: async (request) => {
    calls.push(['history', request]);
    const events = [1, 2, 3, 4, 5].map((eventId) => ({ eventId, eventType: 17, taskId: 1 }));
    const answer: any = { history: { events }, rawHistory: [], nextPageToken: new Uint8Array() };
    return answer;
  },
};

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());
beforeEach(() => void calls.splice(0));

const headers = { host: HOST, 'content-type': 'application/json' };
const send = (path: string, body?: unknown): Promise<Response> | Response =>
  appWith(kms, { temporal: spy }).request(
    path,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  );
const codeOf = async (response: Response): Promise<unknown> => {
  const { error }: any = await response.json();
  return [response.status, error.code];
};

test('2,000 refs of random bytes are 400, and Temporal hears of none', async () => {
  const random = new Random(7);
  for (let n = 0; n < 2_000; n++) {
    const bytes = Buffer.from(Array.from({ length: 1 + random.next() * 24 }, () => random.next() * 256));
    const ref = [bytes.toString('latin1'), bytes.toString('base64'), `${bytes.toString('hex')}x:0`][n % 3]!;
    const response = await send(`${RUN}/payloads:decode`, { refs: ['1:0', ref] });
    expect(await codeOf(response), JSON.stringify(ref)).toEqual([400, 'bad_request']);
  }
  expect(calls).toEqual([]);
}, 30_000);

test('200 refs of an event of 45,000 payloads look through it once', async () => {
  const payloads = Array.from({ length: 45_000 }, () => ({ data: Buffer.from('a') }));
  const event = {
    eventId: 1,
    eventType: 1,
    taskId: 1,
    workflowExecutionStartedEventAttributes: { input: { payloads } },
  };
  const answer: any = { history: { events: [event] }, rawHistory: [], nextPageToken: new Uint8Array() };
  const app = appWith(kms, { temporal: { ...spy, history: async () => answer } });
  const refs = Array.from({ length: 200 }, (_, n) => `1:${n}`);
  const begun = performance.now();
  const response = await app.request(`${RUN}/payloads:decode`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ refs }),
  });
  expect((await response.text()).match(/"ok":true/g)).toHaveLength(200);
  expect(performance.now() - begun).toBeLessThan(5_000);
});

describe.each([['6:0'], ['51200:0'], ['9007199254740993:0'], ['9223372036854775807:0']])(
  'a ref %s of a longer run',
  (ref) => {
    test('is 400, and Temporal is asked only how long this run is', async () => {
      expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: [ref] }))).toEqual([
        400,
        'bad_request',
      ]);
      expect(calls).toEqual([['describe', { namespace: 'payments', execution }]]);
    });
  },
);

test.each(['0:281474976776192', '0:9007199254740993', '0:9999999999999999'])(
  'a ref %s that no description can have is 400',
  async (ref) => {
    expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: [ref] }))).toEqual([400, 'bad_request']);
    expect(calls.map(([call]) => call)).toEqual(['describe']);
  },
);

test('one that a description might have had is answered as gone', async () => {
  const response = await send(`${RUN}/payloads:decode`, { refs: ['0:281474976710655'] });
  const [first = ''] = (await response.text()).split('\n');
  expect(JSON.parse(first)).toMatchObject({ ref: '0:281474976710655', reason: 'event_not_found' });
});

test('a payload that the event does not have is 400, and nothing of the ref reaches Temporal', async () => {
  expect(await codeOf(await send(`${RUN}/payloads:decode`, { refs: ['3:123456'] }))).toEqual([
    400,
    'bad_request',
  ]);
  expect(calls.map(([call]) => call)).toEqual(['describe', 'history']);
  expect(JSON.stringify(calls)).not.toContain('123456');
});

describe.each([
  ['a run id that is no UUID', `/api/namespaces/payments/workflows/w/runs/latest`],
  ['a run id with a path in it', `/api/namespaces/payments/workflows/w/runs/${encodeURIComponent('../x')}`],
  [
    'a workflow id that is too long',
    `/api/namespaces/payments/workflows/${'w'.repeat(1_001)}/runs/${RUN_ID}`,
  ],
])('%s', (_, run) => {
  test.each([
    ['history', undefined],
    ['payloads:decode', { refs: ['1:0'] }],
    ['history:search', { text: 'x' }],
    ['history:export', { form: 'encoded' }],
  ])('is 400 at %s, and Temporal hears nothing', async (what, body) => {
    expect(await codeOf(await send(`${run}/${what}`, body))).toEqual([400, 'bad_request']);
    expect(calls).toEqual([]);
  });
});

test.each(['-1', '1.5', '1e3', '0x1', '9'.repeat(16), 'a', '%00'])(
  'after=%s is 400 unasked',
  async (after) => {
    expect(await codeOf(await send(`${RUN}/history?after=${after}`))).toEqual([400, 'bad_request']);
    expect(calls).toEqual([]);
  },
);

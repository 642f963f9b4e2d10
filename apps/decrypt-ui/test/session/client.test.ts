import { cryptoHealth, payloadRefOf } from '@temporal-kms/codec-api';
import { expect, test } from 'vitest';
import { createPayloadsApi } from '../../src/payloads/api.ts';
import { createRunsApi } from '../../src/runs/api.ts';
import { createSearchApi } from '../../src/search/api.ts';
import { createApiClient } from '../../src/session/server/client.ts';

const answering = (body: BodyInit, init: ResponseInit = {}) => {
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const client = createApiClient({
    apiUrl: 'https://codec.example/base/',
    fetch: (input, sent) => {
      bodies.push(sent?.body);
      asked.push(input instanceof Request ? input.url : String(input));
      return Promise.resolve(new Response(body, init));
    },
  });
  return { client, api: createRunsApi(client), search: createSearchApi(client), asked, bodies };
};
const run = { namespace: 'n', workflowId: 'a/b c', runId: 'r' };

test('encodes a workflow id with a slash as one path segment', async () => {
  const { api, asked } = answering('{}');
  await api.describe('n', 'a/b c', 'r').catch(() => undefined);
  expect(asked).toEqual(['https://codec.example/base/api/namespaces/n/workflows/a%2Fb%20c?runId=r']);
});

test('rejects a response that breaks the contract', async () => {
  const { api } = answering('{"workflows":[{"workflowId":1}]}');
  await expect(api.workflows('n', { query: '', pageSize: 1 })).rejects.toMatchObject({ code: 'unexpected' });
});

test.each([
  ['a connection that broke', new TypeError('network error'), { code: 'unreachable' }],
  ['an aborted request', new DOMException('aborted', 'AbortError'), { name: 'AbortError' }],
])('distinguishes %s from a response that breaks the contract', async (_, error, failure) => {
  const broken = () =>
    answering(new ReadableStream({ pull: (controller) => controller.error(error) })).client;
  await expect(broken().get(cryptoHealth, '/health')).rejects.toMatchObject(failure);
  const lines = broken().stream(cryptoHealth, '/lines', {}, new AbortController().signal);
  await expect(lines.next()).rejects.toMatchObject(failure);
});

test('keeps the code and message of a server error', async () => {
  const { api } = answering('{"error":{"code":"invalid_query","message":"no such attribute"}}', {
    status: 400,
  });
  await expect(api.count('n', 'x')).rejects.toMatchObject({
    code: 'invalid_query',
    message: 'no such attribute',
  });
});

test('does not show the error page of a proxy', async () => {
  const { client } = answering('<html>secret proxy</html>', { status: 502 });
  await expect(client.get(cryptoHealth, '/health')).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.not.stringContaining('secret'),
  });
});

const request = { text: 'maren', caseSensitive: false, order: 'newest_first' } as const;
const progress = {
  type: 'progress',
  after: 3,
  of: 9,
  events: 6,
  payloads: 4,
  bytes: 80,
  kmsCalls: 1,
  unreadable: {},
};

test('sends a search text in the body, not in the address', async () => {
  const { search, asked, bodies } = answering(`${JSON.stringify(progress)}\n`);
  for await (const frame of search.search(run, request, new AbortController().signal)) {
    expect(frame.type).toBe('progress');
  }
  expect(asked).toEqual([
    'https://codec.example/base/api/namespaces/n/workflows/a%2Fb%20c/runs/r/history:search',
  ]);
  expect(bodies).toEqual([JSON.stringify(request)]);
});

test('yields each line of a stream as soon as it is complete, wherever the chunks end', async () => {
  const text = `${JSON.stringify(progress)}\n${JSON.stringify({ ...progress, type: 'end', reason: 'complete', hits: 0 })}\n`;
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
      controller.close();
    },
  });
  const { search } = answering(body);
  const frames = [];
  for await (const frame of search.search(run, request, new AbortController().signal)) {
    frames.push(frame.type);
  }
  expect(frames).toEqual(['progress', 'end']);
});

test('drops an incomplete last line of a stream', async () => {
  const { search } = answering(`${JSON.stringify(progress)}\n{"type":"end","rea`);
  const frames = [];
  for await (const frame of search.search(run, request, new AbortController().signal)) {
    frames.push(frame.type);
  }
  expect(frames).toEqual(['progress']);
});

const refused = (ref: string) =>
  JSON.stringify({ ref, ok: false, reason: 'key_disabled', message: 'disabled' });

test('when its token expires, continues with a new token, and requests only the payloads that have no answer yet', async () => {
  const bodies = [
    `${refused('1:0')}\n{"type":"end","reason":"signed_out"}\n`,
    `${refused('2:0')}\n{"type":"end","reason":"complete"}\n`,
  ];
  const asked: unknown[] = [];
  const client = createApiClient({
    apiUrl: 'https://codec.example',
    fetch: (_, init) => {
      asked.push(JSON.parse(typeof init?.body === 'string' ? init.body : ''));
      return Promise.resolve(new Response(bodies.shift()));
    },
    renewed: () => Promise.resolve(),
  });
  const refs: string[] = [];
  for await (const { ref } of createPayloadsApi(client).decode(
    run,
    [payloadRefOf(1, 0), payloadRefOf(2, 0)],
    new AbortController().signal,
  ))
    refs.push(ref);
  expect(refs).toEqual(['1:0', '2:0']);
  expect(asked).toEqual([{ refs: ['1:0', '2:0'] }, { refs: ['2:0'] }]);
});

test('calls onUnavailable only if a response says that Temporal is unavailable', async () => {
  const reported: string[] = [];
  for (const code of ['temporal_unavailable', 'not_found']) {
    const client = createApiClient({
      apiUrl: '',
      fetch: () => Promise.resolve(Response.json({ error: { code, message: '' } }, { status: 503 })),
      onUnavailable: () => reported.push(code),
    });
    await expect(client.get(cryptoHealth, '/health')).rejects.toMatchObject({ code });
  }
  expect(reported).toEqual(['temporal_unavailable']);
});

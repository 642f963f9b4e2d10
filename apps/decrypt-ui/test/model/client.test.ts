import { expect, test } from 'vitest';
import { createApiClient } from '../../src/api/client.ts';
import { visibilityQuery, withStatuses } from '../../src/features/workflows/search.ts';

const answering = (body: BodyInit, init: ResponseInit = {}) => {
  const asked: string[] = [];
  const api = createApiClient({
    apiUrl: 'https://codec.example/base/',
    fetch: (input) => {
      asked.push(input instanceof Request ? input.url : String(input));
      return Promise.resolve(new Response(body, init));
    },
  });
  return { api, asked };
};
const run = { namespace: 'n', workflowId: 'a/b c', runId: 'r' };

test('a workflow id with a slash stays one part of the path', async () => {
  const { api, asked } = answering('{}');
  await api.describe('n', 'a/b c', 'r').catch(() => undefined);
  expect(asked).toEqual(['https://codec.example/base/api/namespaces/n/workflows/a%2Fb%20c?runId=r']);
});

test('an answer that isn’t in the contract is refused at the edge', async () => {
  const { api } = answering('{"workflows":[{"workflowId":1}]}');
  await expect(api.workflows('n', { query: '', pageSize: 1 })).rejects.toMatchObject({ code: 'unexpected' });
});

test('the server’s own refusal keeps its code and its words', async () => {
  const { api } = answering('{"error":{"code":"invalid_query","message":"no such attribute"}}', {
    status: 400,
  });
  await expect(api.count('n', 'x')).rejects.toMatchObject({
    code: 'invalid_query',
    message: 'no such attribute',
  });
});

test('another’s error page is not shown', async () => {
  const { api } = answering('<html>secret proxy</html>', { status: 502 });
  await expect(api.health()).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.not.stringContaining('secret'),
  });
});

test('a stream gives each line as soon as it is complete, wherever it was cut', async () => {
  const text = '{"type":"heartbeat"}\n{"type":"end","reason":"complete","after":3}\n';
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
      controller.close();
    },
  });
  const { api } = answering(body);
  const frames = [];
  for await (const frame of api.history(run, { after: 0, live: true }, new AbortController().signal)) {
    frames.push(frame.type);
  }
  expect(frames).toEqual(['heartbeat', 'end']);
});

test('a line that was cut off is not taken for one', async () => {
  const { api } = answering('{"type":"heartbeat"}\n{"type":"end","rea');
  const frames = [];
  for await (const frame of api.history(run, { after: 0, live: true }, new AbortController().signal)) {
    frames.push(frame.type);
  }
  expect(frames).toEqual(['heartbeat']);
});

test('one word is looked for among ids and types; anything with an operator is a query as it stands', () => {
  expect(visibilityQuery('order-1')).toBe(
    'WorkflowId STARTS_WITH "order-1" OR WorkflowType STARTS_WITH "order-1"',
  );
  expect(visibilityQuery('a"b')).toBe('a"b');
  expect(visibilityQuery(' ExecutionStatus = "Failed" ')).toBe('ExecutionStatus = "Failed"');
  expect(withStatuses('', ['Failed'])).toBe('ExecutionStatus IN ("Failed")');
  expect(withStatuses('A OR B', ['Failed', 'Running'])).toBe(
    '(A OR B) AND ExecutionStatus IN ("Failed", "Running")',
  );
});

import { cryptoHealth } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/session/config.ts';
import { createApiClient } from '../../src/session/server/client.ts';
import { earlyFetch } from '../../src/session/server/early-fetch.ts';
import { createQueryClient } from '../../src/session/server/query-client.ts';
import { ANSWER_MS, limitedFetch } from '../../src/session/server/time-limit.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  globalThis.earlyResponses = undefined;
});

/** Returns a server that accepts requests and never responds, and that counts open requests. */
function hangingServer() {
  let open = 0;
  const send: typeof fetch = (_, init) =>
    new Promise((_resolve, reject) => {
      open += 1;
      init?.signal?.addEventListener('abort', () => {
        open -= 1;
        reject(init.signal?.reason);
      });
    });
  return { send, open: () => open };
}
const noAnswer = { code: 'unreachable', message: expect.stringContaining('15 seconds') };

test('aborts a GET request that gets no response within the time limit, and closes its connection', async () => {
  const { send, open } = hangingServer();
  const client = createApiClient({ apiUrl: '', fetch: limitedFetch(send) });
  const failed = expect(client.get(cryptoHealth, '/health')).rejects.toMatchObject(noAnswer);
  await vi.advanceTimersByTimeAsync(ANSWER_MS - 1);
  expect(open()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  await failed;
  expect(open()).toBe(0);
});

/** Sends only the beginning of a document. */
const stopping: typeof fetch = (_, init) => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"kms":'));
      init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
    },
  });
  return Promise.resolve(new Response(body));
};

test('aborts a response that stops halfway, once the time limit has passed', async () => {
  const client = createApiClient({ apiUrl: '', fetch: limitedFetch(stopping) });
  const failed = expect(client.get(cryptoHealth, '/health')).rejects.toMatchObject(noAnswer);
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  await failed;
});

test('sets no time limit for a POST request, and lets the caller abort each request', async () => {
  const { send, open } = hangingServer();
  const abort = new AbortController();
  const limited = limitedFetch(send);
  const asked = [
    limited('/a', { method: 'POST', signal: abort.signal }),
    limited('/b', { signal: abort.signal }),
  ].map((each) => expect(each).rejects.toMatchObject({ name: 'AbortError' }));
  await vi.advanceTimersByTimeAsync(ANSWER_MS - 1);
  expect(open()).toBe(2);
  abort.abort();
  await Promise.all(asked);
  expect(open()).toBe(0);
});

test('applies the same limit to a response that was requested before the application started', async () => {
  globalThis.earlyResponses = new Map([['/a', new Promise(() => undefined)]]);
  const failed = expect(limitedFetch(earlyFetch)('/a')).rejects.toMatchObject(noAnswer);
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  await failed;
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('again')));
  await expect((await limitedFetch(earlyFetch)('/a')).text()).resolves.toBe('again');
});

test('aborts the request for the configuration after the time limit', async () => {
  const failed = expect(loadConfig(hangingServer().send, '/')).rejects.toThrow(
    '/config.json did not answer within 15 seconds.',
  );
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  await failed;
});

test('does not immediately repeat a request that got no response in time', async () => {
  const { send } = hangingServer();
  const asked = vi.fn(send);
  const client = createApiClient({ apiUrl: '', fetch: limitedFetch(asked) });
  const failed = expect(
    createQueryClient().fetchQuery({
      queryKey: ['health'],
      queryFn: ({ signal }) => client.get(cryptoHealth, '/health', signal),
      retry: createQueryClient().getDefaultOptions().queries?.retry ?? false,
    }),
  ).rejects.toMatchObject(noAnswer);
  await vi.advanceTimersByTimeAsync(3 * ANSWER_MS);
  await failed;
  expect(asked).toHaveBeenCalledOnce();
});

import { NoAnswer } from './failure.ts';

/** Milliseconds that the page waits for a response to begin. The codec server waits 10 s for each response from Temporal. */
export const ANSWER_MS = 15_000;

/**
 * Calls `send` with a signal that aborts when the given signal aborts or the time limit ends.
 *
 * @param what the server's name, for the failure's message
 * @throws NoAnswer after the time limit
 */
export async function withinLimit<T>(
  what: string,
  signal: AbortSignal | null | undefined,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new NoAnswer(what, ANSWER_MS)), ANSWER_MS);
  try {
    return await send(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns a `fetch` whose GET requests fail if the response does not begin in time. Responses to POST requests may
 * begin late, because the server first decrypts, searches or verifies.
 */
export const limitedFetch =
  (send: typeof fetch = fetch): typeof fetch =>
  (input, init) =>
    (init?.method ?? 'GET') === 'GET'
      ? withinLimit('The codec server', init?.signal, (signal) => send(input, { ...init, signal }))
      : send(input, init);

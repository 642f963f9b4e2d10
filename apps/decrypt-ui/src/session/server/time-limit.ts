import { NoAnswer } from './failure.ts';

/** Milliseconds that the page waits for an answer. The codec server waits 10 s for each answer of Temporal. */
export const ANSWER_MS = 15_000;

/**
 * Calls `send` with a signal that aborts with the given signal, and after the time limit.
 *
 * @param what the server, at the start of the failure's message
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
 * Returns a `fetch` whose GET requests fail if no answer begins in time. The answers to POST requests may begin late: the
 * server decrypts, searches or verifies first.
 */
export const limitedFetch =
  (send: typeof fetch = fetch): typeof fetch =>
  (input, init) =>
    (init?.method ?? 'GET') === 'GET'
      ? withinLimit('The codec server', init?.signal, (signal) => send(input, { ...init, signal }))
      : send(input, init);

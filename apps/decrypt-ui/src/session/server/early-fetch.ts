declare global {
  // oxlint-disable-next-line no-var -- `public/early.js` sets this global variable
  var earlyResponses: Map<string, Promise<Response>> | undefined;
}

/**
 * Sends a request, or returns the response to the same request if `public/early.js` sent it while this script was
 * loading. Returns each of these early responses only once.
 */
export const earlyFetch: typeof fetch = async (input, init) => {
  const early = typeof input === 'string' ? globalThis.earlyResponses?.get(input) : undefined;
  if (typeof input !== 'string' || !early || (init?.method ?? 'GET') !== 'GET') return fetch(input, init);
  globalThis.earlyResponses?.delete(input);
  const { signal } = init ?? {};
  const response = await new Promise<Response | undefined>((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    early.then(resolve, () => resolve(undefined));
  });
  if (!response) return fetch(input, init);
  if (signal?.aborted) {
    await response.body?.cancel();
    throw signal.reason;
  }
  return response;
};

import { WaitTimer } from '@temporal-kms/kms-codec';

/** Gets a JSON document of a provider. @throws Error that says why it can't be had */
export type FetchJson = (url: string) => Promise<unknown>;

/** Callers wait for it, once in ten seconds, while a provider is out of reach. */
const TIMEOUT_MS = 3_000;
/** Far above any key set; a provider that is not one must not fill the memory. */
const MAX_BYTES = 1024 * 1024;

/** Redirects aren't followed: the policy names the provider, and nobody else's keys count. */
export const fetchJson: FetchJson = async (url) => {
  const late = new AbortController();
  const timer = new WaitTimer(TIMEOUT_MS, () =>
    late.abort(new DOMException(`No answer within ${TIMEOUT_MS} ms`, 'TimeoutError')),
  );
  try {
    return await fetchWithin(url, late.signal);
  } finally {
    timer.stop();
  }
};

async function fetchWithin(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal,
  });
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`${url} answered more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
}

import { isLoopback } from '@temporal-kms/config';
import { codeOf, messageOf } from '@temporal-kms/node-utils/error-details';
import type { Payload } from '@temporalio/common';
import { checkAnswer } from './decode-answer.ts';
import { type Finding, findings } from '../cli/finding.ts';

const { ok, warning, failed, skipped } = findings('codec server');

export interface CodecServerTarget {
  /** The URL of the codec endpoint, as configured in the Web UI. */
  readonly url: string;
  /** Whether a command-line option gives the URL. Otherwise the URL comes from the codec server's configuration. */
  readonly isNamed: boolean;
  /**
   * Origins whose pages call the server; undefined if neither the options nor the variables name an origin.
   */
  readonly origins: readonly string[] | undefined;
  readonly namespace: string;
  /** An access token, as the Web UI sends it. */
  readonly token: string | undefined;
  readonly justification: string | undefined;
  /**
   * A payload that the server can decrypt, and its plaintext; if undefined, the check sends an unencrypted payload.
   */
  readonly sample: { readonly encrypted: Payload; readonly plaintext: string } | undefined;
}

const TIMEOUT_MS = 10_000;

/** Calls the codec server as Temporal's Web UI does: a preflight and a `/decode` for each origin. */
export async function checkCodecServer(target: CodecServerTarget): Promise<readonly Finding[]> {
  const { url, isNamed } = target;
  const start = performance.now();
  try {
    await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const text = `nothing answers at ${url} (${reasonOf(error)})`;
    const fix = 'temporal-kms doctor --app codec-server --codec-url https://codec.example.com';
    return isNamed
      ? [failed(text, 'node --disable-sigusr1 main.mjs')]
      : [skipped(`${text}: start the codec server and try again, or give its URL`, fix)];
  }
  const found: Finding[] = [ok(`a server answers at ${url}`, performance.now() - start)];
  const { origins = [] } = target;
  if (target.origins === undefined) {
    found.push(skipped("give the Web UI's origin to check CORS", '--origin https://temporal.example.com'));
  } else if (origins.length === 0) {
    found.push(
      warning(
        "no web page may call the codec server, so Temporal's Web UI shows ciphertext",
        'export CODEC_CORS_ORIGINS=https://temporal.example.com',
      ),
    );
  }
  for (const origin of origins.length === 0 ? [undefined] : origins) {
    // oxlint-disable-next-line no-await-in-loop -- checks one origin after the other
    found.push(...(await checkOrigin(target, origin)));
  }
  return found;
}

async function checkOrigin(
  target: CodecServerTarget,
  origin: string | undefined,
): Promise<readonly Finding[]> {
  const { url, token } = target;
  const decode = new URL(`${url.replace(/\/+$/, '')}/decode`);
  const found: Finding[] = [];
  if (origin !== undefined) {
    if (origin.startsWith('https:') && decode.protocol === 'http:' && !isLoopback(decode.hostname)) {
      found.push(
        failed(
          `pages of ${origin} cannot call ${url}: browsers block requests from https to http`,
          'export CODEC_TLS_CERT_FILE=… CODEC_TLS_KEY_FILE=…',
        ),
      );
    }
    try {
      found.push(await checkPreflight(decode, origin, token !== undefined));
    } catch (error) {
      return [...found, failed(`${origin}: the preflight failed (${reasonOf(error)})`)];
    }
  }
  try {
    found.push(...(await checkDecode(target, decode, origin)));
  } catch (error) {
    found.push(failed(`POST ${decode.href} failed (${reasonOf(error)})`));
  }
  return found;
}

/**
 * Sends the request that a browser sends before a page's `/decode` (CORS, fetch.spec.whatwg.org), and checks the
 * response.
 */
async function checkPreflight(decode: URL, origin: string, withToken: boolean): Promise<Finding> {
  const wanted = ['content-type', 'x-namespace', ...(withToken ? ['authorization'] : [])];
  const response = await fetch(decode, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': wanted.join(','),
    },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.headers.get('access-control-allow-origin') !== origin) {
    return failed(
      `pages of ${origin} may not call the codec server (status ${response.status})`,
      `export CODEC_CORS_ORIGINS=${origin}`,
    );
  }
  const allowed = (response.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/);
  const missing = wanted.filter((header) => !allowed.includes(header));
  if (missing.length > 0 || response.status >= 300) {
    return failed(`the preflight from ${origin} does not permit ${missing.join(', ') || 'the request'}`);
  }
  return ok(`pages of ${origin} may call ${decode.href}`);
}

async function checkDecode(
  { namespace, token, justification, sample }: CodecServerTarget,
  decode: URL,
  origin: string | undefined,
): Promise<readonly Finding[]> {
  const text = sample?.plaintext ?? 'temporal-kms doctor';
  const start = performance.now();
  const response = await fetch(decode, {
    method: 'POST',
    headers: {
      ...(origin !== undefined && { origin }),
      'content-type': 'application/json',
      'x-namespace': namespace,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(justification !== undefined && { 'x-reveal-justification': justification }),
    },
    body: JSON.stringify({ payloads: [toJson(sample?.encrypted ?? plainPayload(text))] }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return checkAnswer({
    status: response.status,
    body: await response.text(),
    milliseconds: performance.now() - start,
    expected: text,
    isEncrypted: sample !== undefined,
    namespace,
    withToken: token !== undefined,
  });
}

const plainPayload = (text: string): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(text)),
});

/** Returns a payload in the JSON form of its proto, as the Web UI sends it. */
const toJson = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

/** Returns why `fetch` failed. `fetch` puts the reason into the error's cause. */
function reasonOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return codeOf(cause) ?? messageOf(cause ?? error);
}

import type { Context } from 'hono';
import { HttpError } from '../errors.ts';
import { bodyTooLarge } from './bodies.ts';
import type { Env, Headers } from './context.ts';

/**
 * Maximum number of header lines in one request. Node keeps all lines in memory until the head is complete.
 */
export const MAX_HEADER_COUNT = 100;

export interface GuardOptions {
  /** Accepted `Host` values in lower case, with the port unless it is the scheme's default. */
  readonly hosts: ReadonlySet<string>;
  readonly headers: ResponseHeaders;
  /** Returns the maximum size of a body for a path, in bytes. */
  readonly maxBody: (path: string) => number;
}

/**
 * Returns a check that rejects cross-site requests, because any page in a browser on this machine can reach a
 * loopback port without sign-in. Checking `Host` stops DNS rebinding, checking `Origin` stops cross-site
 * requests, and requiring the content type forces a preflight for a cross-site POST.
 *
 * @returns a function that returns the response to a preflight, returns undefined to continue, or throws
 *   HttpError
 */
export function guard({ hosts, headers, maxBody }: GuardOptions): (c: Context<Env>) => Response | undefined {
  return (c) => {
    const origin = c.req.header('origin');
    c.set('headers', headers.of(origin));

    if ((c.env?.incoming?.rawHeaders.length ?? 0) > 2 * MAX_HEADER_COUNT) {
      throw new HttpError(
        431,
        'bad_request',
        `The request has more than ${MAX_HEADER_COUNT} headers; send fewer.`,
      );
    }
    checkHost(c, (host) => hosts.has(host), 'CODEC_ALLOWED_HOSTS');
    if (origin !== undefined && !headers.allows(origin) && !isOwn(origin, c.req.header('host'))) {
      throw new HttpError(
        403,
        'forbidden',
        'This Origin may not call this server; CODEC_CORS_ORIGINS lists the allowed origins.',
        { loggable: true },
      );
    }
    // RFC 9112, section 6.1. Node decodes only `chunked`, so the server would read a compressed body as if
    // it were not compressed.
    if (!/^(?:chunked)?$/i.test(c.req.header('transfer-encoding')?.trim() ?? '')) {
      throw new HttpError(
        501,
        'not_implemented',
        'Send the body without a transfer coding other than chunked.',
        { loggable: true },
      );
    }
    if (c.req.method === 'OPTIONS') {
      return new Response(null, {
        status: 204,
        headers: origin === undefined ? headers.of(origin) : headers.preflight(origin),
      });
    }
    if (c.req.method !== 'POST') return undefined;

    if (!/^application\/json\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
      throw new HttpError(
        415,
        'unsupported_media_type',
        'Send the body with Content-Type: application/json.',
      );
    }
    if (!/^(?:identity)?$/i.test(c.req.header('content-encoding')?.trim() ?? '')) {
      throw new HttpError(415, 'unsupported_media_type', 'Send the body without Content-Encoding.');
    }
    const length = c.req.header('content-length');
    const largest = maxBody(c.req.path);
    if (length !== undefined && !(Number(length) <= largest)) throw bodyTooLarge(largest);
    c.set('maxBody', largest);
    return undefined;
  };
}

/**
 * Whether a request comes from a page on the server's own origin, such as the dashboard. Requires an accepted
 * `Host`. Accepts both schemes, because the server does not know which scheme a proxy uses. Accepting both
 * schemes is safe: without CORS headers, a browser lets only pages of exactly the same origin, including the
 * scheme, read the response.
 */
const isOwn = (origin: string, host = ''): boolean =>
  /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host.toLowerCase();

/**
 * Rejects a `Host` that this server does not accept. A web page whose host name was rebound to this server's
 * address (DNS rebinding) sends its own host name.
 * @param variable the environment variable that lists accepted hosts, for the message
 * @throws HttpError 403
 */
export function checkHost(c: Context<Env>, accepts: (host: string) => boolean, variable: string): void {
  if (accepts(c.req.header('host')?.toLowerCase() ?? '')) return;
  throw new HttpError(
    403,
    'forbidden',
    `This server does not accept the request's Host; ${variable} lists the accepted hosts.`,
    { loggable: true },
  );
}

/**
 * Headers of every response. Responses are not pages, so browsers must not frame, sniff, cache or share them.
 */
const always = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // Without this header, a cache could return one origin's response to another origin.
  Vary: 'Origin',
} as const;

/**
 * The header applies for one year. The header is sent only over TLS, because browsers ignore it elsewhere,
 * and a proxy that terminates TLS sends its own header.
 */
const overTls = { 'Strict-Transport-Security': 'max-age=31536000' } as const;

/**
 * Response headers by the request's origin. The headers are built only once, because Hono's `cors()` took
 * half the time of a small `/decode`. Origins are compared exactly, and only the request's origin is echoed,
 * because credentials cannot be combined with a wildcard.
 */
export interface ResponseHeaders {
  /**
   * The headers without CORS headers, for origins that are not listed and for clients that are not browsers.
   */
  of(origin: string | undefined): Headers;
  allows(origin: string): boolean;
  preflight(origin: string): Headers;
}

export function createResponseHeaders(origins: readonly string[], tls = false): ResponseHeaders {
  const own: Headers = tls ? { ...always, ...overTls } : always;
  const byOrigin = new Map<string, Headers>(
    origins.map((origin) => [
      origin,
      {
        ...own,
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Expose-Headers': 'Retry-After',
      },
    ]),
  );
  const of = (origin: string | undefined): Headers => byOrigin.get(origin ?? '') ?? own;
  return {
    of,
    allows: (origin) => byOrigin.has(origin),
    preflight: (origin) => ({
      ...of(origin),
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      // The Web UI sends Authorization-Extras (the ID token) whenever it sends its access token. Pages with
      // tracing send Traceparent and Tracestate.
      'Access-Control-Allow-Headers':
        'Content-Type, X-Namespace, X-Reveal-Justification, Authorization, Authorization-Extras, Traceparent, Tracestate',
      // How many seconds a browser may cache a preflight's response: the maximum that Chromium accepts.
      'Access-Control-Max-Age': '7200',
    }),
  };
}

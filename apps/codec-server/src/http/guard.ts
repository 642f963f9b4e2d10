import type { Context } from 'hono';
import { bodyTooLarge } from './body.ts';
import type { Env } from './context.ts';
import type { ResponseHeaders } from './headers.ts';
import { HttpError } from '../errors.ts';

/** Headers of one request. Each costs memory of its own while the head has yet to end. */
export const MAX_HEADER_COUNT = 100;

export interface GuardOptions {
  /** Values of `Host` that are served, with the port where it isn't the scheme's own. Lower case. */
  readonly hosts: ReadonlySet<string>;
  readonly headers: ResponseHeaders;
  /** Bytes of a body on this path. */
  readonly maxBody: (path: string) => number;
}

/**
 * A loopback port without sign-in can be reached from every page that a browser on this machine shows. What keeps
 * pages out: `Host` (DNS rebinding), `Origin` (cross-site requests), and the content type (a cross-site POST of
 * JSON needs a preflight, one of text doesn't).
 *
 * @returns what lets a request pass, answers a preflight, or throws a HttpError
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
    if (origin !== undefined && !headers.allows(origin)) {
      throw new HttpError(
        403,
        'forbidden',
        'This Origin may not call here; CODEC_CORS_ORIGINS lists those that may.',
        { loggable: true },
      );
    }
    // RFC 9112, section 6.1. Node decodes the chunks alone, so the body would be taken for something else.
    if (!/^(?:chunked)?$/i.test(c.req.header('transfer-encoding')?.trim() ?? '')) {
      throw new HttpError(
        501,
        'not_implemented',
        'Send the body without a transfer coding other than chunked.',
        {
          loggable: true,
        },
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
    const most = maxBody(c.req.path);
    if (length !== undefined && !(Number(length) <= most)) throw bodyTooLarge(most);
    c.set('maxBody', most);
    return undefined;
  };
}

/**
 * A web page whose name was rebound to this address (DNS rebinding) sends its own name as `Host`.
 * @param variable lists the hosts that are served
 * @throws HttpError 403
 */
export function checkHost(c: Context<Env>, serves: (host: string) => boolean, variable: string): void {
  if (serves(c.req.header('host')?.toLowerCase() ?? '')) return;
  throw new HttpError(403, 'forbidden', `This Host is not served here; ${variable} lists those that are.`, {
    loggable: true,
  });
}

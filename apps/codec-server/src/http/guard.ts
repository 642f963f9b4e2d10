import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Env } from './context.ts';
import type { ResponseHeaders } from './headers.ts';
import { Refusal } from './refusal.ts';

export interface GuardOptions {
  /** Values of `Host` that are served, with the port where it isn't the scheme's own. Lower case. */
  readonly hosts: ReadonlySet<string>;
  readonly headers: ResponseHeaders;
  /** Bytes. */
  readonly maxBody: number;
}

/**
 * A loopback port without sign-in can be reached from every page that a browser on this machine shows. What keeps
 * pages out: `Host` (DNS rebinding), `Origin` (cross-site requests), and the content type (a cross-site POST of
 * JSON needs a preflight, one of text doesn't).
 */
export function guard({ hosts, headers, maxBody }: GuardOptions): MiddlewareHandler<Env> {
  const tooLarge = (): never => {
    throw new Refusal(
      413,
      'too_large',
      `The body is larger than ${maxBody} bytes; send fewer payloads a request.`,
    );
  };
  // Reads a body of unknown length in full: for those only, since it costs a second copy.
  const countBody = bodyLimit({ maxSize: maxBody, onError: tooLarge });

  return async (c, next) => {
    const origin = c.req.header('origin');
    c.set('headers', headers.of(origin));

    const host = c.req.header('host')?.toLowerCase() ?? '';
    if (!hosts.has(host)) {
      throw new Refusal(
        403,
        'forbidden',
        'This Host is not served here; CODEC_ALLOWED_HOSTS lists those that are.',
      );
    }
    if (origin !== undefined && !headers.allows(origin)) {
      throw new Refusal(
        403,
        'forbidden',
        'This Origin may not call here; CODEC_CORS_ORIGINS lists those that may.',
      );
    }
    if (c.req.method === 'OPTIONS') {
      return new Response(null, {
        status: 204,
        headers: origin === undefined ? headers.of(origin) : headers.preflight(origin),
      });
    }
    if (c.req.method !== 'POST') return next();

    if (!/^application\/json\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
      throw new Refusal(415, 'unsupported_media_type', 'Send the body with Content-Type: application/json.');
    }
    const length = c.req.header('content-length');
    if (length === undefined || c.req.header('transfer-encoding') !== undefined) return countBody(c, next);
    if (!(Number(length) <= maxBody)) tooLarge();
    return next();
  };
}

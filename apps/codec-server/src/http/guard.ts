import type { Context } from 'hono';
import type { Env } from './context.ts';
import type { ResponseHeaders } from './headers.ts';
import { Refusal } from '../refusal.ts';

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
 * @returns what lets a request pass, answers a preflight, or throws a Refusal
 */
export function guard({ hosts, headers, maxBody }: GuardOptions): (c: Context<Env>) => Response | undefined {
  return (c) => {
    const origin = c.req.header('origin');
    c.set('headers', headers.of(origin));

    const host = c.req.header('host')?.toLowerCase() ?? '';
    if (!hosts.has(host)) {
      throw new Refusal(
        403,
        'forbidden',
        'This Host is not served here; CODEC_ALLOWED_HOSTS lists those that are.',
        { loggable: true },
      );
    }
    if (origin !== undefined && !headers.allows(origin)) {
      throw new Refusal(
        403,
        'forbidden',
        'This Origin may not call here; CODEC_CORS_ORIGINS lists those that may.',
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
      throw new Refusal(415, 'unsupported_media_type', 'Send the body with Content-Type: application/json.');
    }
    const length = c.req.header('content-length');
    const most = maxBody(c.req.path);
    if (length === undefined || c.req.header('transfer-encoding') !== undefined) {
      c.req.raw = counted(c.req.raw, most);
    } else if (!(Number(length) <= most)) throw tooLarge(most);
    return undefined;
  };
}

const tooLarge = (maxBody: number): Refusal =>
  new Refusal(413, 'too_large', `The body is larger than ${maxBody} bytes; send less a request.`);

/**
 * The request with a body that fails once it exceeds `maxBody` bytes. Counted while its handler reads it: Hono's
 * `bodyLimit` reads a body of unknown length whole, before anybody has asked who it comes from.
 */
function counted(request: Request, maxBody: number): Request {
  if (request.body === null) return request;
  let size = 0;
  const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (piece, controller) => {
      size += piece.length;
      if (size > maxBody) throw tooLarge(maxBody);
      controller.enqueue(piece);
    },
  });
  return new Request(request, {
    method: request.method,
    body: request.body.pipeThrough(count),
    duplex: 'half',
  });
}

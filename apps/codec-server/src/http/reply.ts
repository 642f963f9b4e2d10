import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Env } from './context.ts';
import type { Headers } from './headers.ts';
import { piecesOf } from './pieces.ts';

/**
 * Answers with one plain object of headers, which node-server writes as it stands: Hono's own `c.body()` and
 * `c.header()` would fill a `Headers` first.
 */
export function reply(
  c: Context<Env>,
  body: string | Uint8Array<ArrayBuffer>,
  type: string,
  status: ContentfulStatusCode = 200,
  extra?: Headers,
): Response {
  const headers =
    extra === undefined ? typed(c.get('headers'), type) : { ...typed(c.get('headers'), type), ...extra };
  if (body.length < LARGE) return new Response(body, { status, headers });
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return new Response(ReadableStream.from(piecesOf(bytes)), {
    status,
    headers: { ...headers, 'Content-Length': String(bytes.length) },
  });
}

const known = new WeakMap<Headers, Map<string, Headers>>();

/** The headers of an origin with a content type: few of each, made once. */
function typed(headers: Headers, type: string): Headers {
  let byType = known.get(headers);
  if (byType === undefined) known.set(headers, (byType = new Map()));
  let both = byType.get(type);
  if (both === undefined) byType.set(type, (both = { ...headers, 'Content-Type': type }));
  return both;
}

/** Bytes, or characters, from which on a body is written in pieces. */
const LARGE = 1024 * 1024;

export const replyJson = (
  c: Context<Env>,
  body: unknown,
  status?: ContentfulStatusCode,
  extra?: Headers,
): Response => reply(c, JSON.stringify(body), 'application/json', status, extra);

import { escapeInText } from '@temporal-kms/codec-api';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { HttpError } from '../errors.ts';
import { type BodyInPieces, jsonLine } from '../json/bytes.ts';
import { SLICE_BYTES, Slices } from '../turns/slices.ts';
import type { Env, Headers } from './context.ts';
import type { ResponseHeaders } from './guards.ts';
import type { RateLimits } from './rate-limits.ts';
import { gzipParts } from './stream-compression.ts';

/**
 * Bodies of at least this many bytes or characters are written in slices. Node reports a write as done only
 * when the socket has taken everything, so with one write of many MiB, `cutStalledReaders` could not tell a
 * slow reader from a stalled reader.
 */
const LARGE = 1024 * 1024;

/**
 * Responds with headers in a plain object, which node-server writes unchanged. Hono's `c.body()` and
 * `c.header()` would first build a `Headers` object.
 */
export function reply(
  c: Context<Env>,
  body: string | Uint8Array<ArrayBuffer> | BodyInPieces,
  type: string,
  status: ContentfulStatusCode = 200,
  extra?: Headers,
): Response {
  const headers = { ...c.get('headers'), 'Content-Type': type, ...extra };
  if (body.length < LARGE) return new Response(isInPieces(body) ? body.concat() : body, { status, headers });
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return new Response(
    ReadableStream.from(piecesInTurns(isInPieces(bytes) ? bytes.pieces() : piecesOf(bytes))),
    { status, headers: { ...headers, 'Content-Length': String(bytes.length) } },
  );
}

const isInPieces = (body: string | Uint8Array | BodyInPieces): body is BodyInPieces =>
  typeof body === 'object' && 'pieces' in body;

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES);
}

/**
 * Yields the pieces over several turns of the event loop. Otherwise, if the client reads fast, the socket
 * would take each piece immediately, and all pieces would be created and written in one turn.
 */
async function* piecesInTurns(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const slices = new Slices();
  for (const piece of pieces) {
    await slices.next(piece.length);
    yield piece;
  }
}

export const replyJson = (
  c: Context<Env>,
  body: unknown,
  status?: ContentfulStatusCode,
  extra?: Headers,
): Response => reply(c, JSON.stringify(body), 'application/json', status, extra);

const encoder = new TextEncoder();

/**
 * Streams text in parts, as they are produced, with backpressure: the next part is requested only when the
 * previous part has been taken, so that a slow reader keeps only one part in memory.
 * @param texts returns an iterator of non-empty parts; the signal is aborted when the client disconnects
 * @param compress whether to compress the text with gzip if the client accepts it; never for plaintext, see
 *   `gzipParts`
 */
export function textStream(
  c: Context<Env>,
  headers: Headers,
  texts: (disconnected: AbortSignal) => AsyncIterator<string>,
  compress = false,
): Response {
  // For HEAD, Hono runs the GET handler and does not read the body.
  const isHead = c.req.method === 'HEAD';
  const compressor = compress && !isHead ? gzipParts(c) : undefined;
  const init = {
    headers: {
      ...c.get('headers'),
      ...headers,
      ...(compress && { Vary: 'Origin, Accept-Encoding' }),
      ...(compressor && { 'Content-Encoding': 'gzip' }),
    },
  };
  if (isHead) return new Response(null, init);
  const cancelled = new AbortController();
  const iterator = texts(AbortSignal.any([cancelled.signal, c.req.raw.signal]));
  const ended = c.get('meter')?.streamOpened();
  // Encodes the text slice by slice on demand, because a single line can be many MiB long.
  let rest = '';
  const slices = new Slices();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        if (rest === '') rest = (await iterator.next()).value ?? '';
        if (rest !== '') {
          const end = sliceEnd(rest);
          await slices.next(end);
          const part = encoder.encode(rest.slice(0, end));
          rest = rest.slice(end);
          controller.enqueue(compressor === undefined ? part : await compressor.push(part));
          return;
        }
        if (compressor !== undefined) controller.enqueue(await compressor.end());
      } catch (error) {
        compressor?.close();
        ended?.();
        throw error;
      }
      ended?.();
      controller.close();
    },
    cancel() {
      compressor?.close();
      ended?.();
      cancelled.abort();
      // Does not await the iterator's end, because the iterator ends only once the calls for which it waits
      // have been cancelled.
      iterator.return?.()?.catch(() => undefined);
    },
  });
  return new Response(body, init);
}

/** Returns where to cut text, so that both halves of a surrogate pair are in one slice. */
function sliceEnd(text: string): number {
  if (text.length <= SLICE_BYTES) return text.length;
  const code = text.charCodeAt(SLICE_BYTES - 1);
  return code >= 0xd800 && code <= 0xdbff ? SLICE_BYTES - 1 : SLICE_BYTES;
}

/** Streams one JSON value per line. `compress`: as in `textStream`. */
export const ndjson = (
  c: Context<Env>,
  lines: (disconnected: AbortSignal) => AsyncIterable<unknown>,
  { compress = false }: { readonly compress?: boolean } = {},
): Response =>
  textStream(
    c,
    { 'Content-Type': 'application/x-ndjson' },
    (disconnected) => written(lines(disconnected)),
    compress,
  );

async function* written(lines: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const line of lines) yield* jsonLine(line);
}

export interface ErrorResponseOptions {
  readonly headers: ResponseHeaders;
  readonly log: Logger;
  /**
   * Whether a path belongs to the history API, whose errors are JSON. All other errors are text, because the
   * CLI prints the body.
   */
  readonly isApi: (path: string) => boolean;
  /** Without rate limits, the number of refused requests is not limited. */
  readonly rates?: Pick<RateLimits, 'refused'>;
}

/** Returns Hono's error handler: a response with the error's status, code and message, and CORS headers. */
export const errorResponse =
  ({ headers, log, isApi, rates }: ErrorResponseOptions) =>
  (error: Error, c: Context<Env>): Response => {
    c.set('headers', headers.of(c.req.header('origin')));
    const thrown = error instanceof HttpError ? error : unexpected(error, log);
    const answered = isRefusal(thrown) ? (rates?.refused(c, thrown) ?? thrown) : thrown;
    c.error = answered;
    const extra: Record<string, string> = {};
    if (answered.retryAfter !== undefined) extra['Retry-After'] = String(answered.retryAfter);
    if (answered.challenge !== undefined) extra['WWW-Authenticate'] = answered.challenge;
    // Escapes invisible characters, because a terminal may display the message, and names in the message may
    // come from callers.
    const message = escapeInText(answered.message);
    if (isApi(c.req.path)) {
      return replyJson(c, { error: { code: answered.code, message } }, answered.status, extra);
    }
    return reply(c, `${message}\n`, 'text/plain; charset=utf-8', answered.status, extra);
  };

/**
 * Payloads that cannot be decrypted do not count as refused requests, because a legitimate caller may find
 * one in each event.
 */
const isRefusal = ({ status, cause }: HttpError): boolean =>
  status < 500 && status !== 429 && !(cause instanceof KmsCodecError);

function unexpected(error: Error, log: Logger): HttpError {
  // Logs the stack, which contains only files and functions, but not the message, which may quote data.
  log.error({ error: error.name, stack: stackOf(error) }, 'request failed unexpectedly');
  return new HttpError(500, 'internal', 'The server failed. The server log contains the cause.');
}

const stackOf = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');

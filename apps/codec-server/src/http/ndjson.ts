import type { Context } from 'hono';
import { jsonLine } from '../json/deferred-data.ts';
import type { Env } from './context.ts';
import type { Headers } from './headers.ts';

const encoder = new TextEncoder();

/**
 * Streams text as it is made, none of it empty. The next piece is asked for when the last has been taken, so a slow reader holds one.
 * `pieces` is given a signal that is aborted when the reader goes away.
 */
export function textStream(
  c: Context<Env>,
  headers: Headers,
  pieces: (gone: AbortSignal) => AsyncIterator<string>,
): Response {
  const init = { headers: { ...c.get('headers'), ...headers } };
  // Hono takes GET's answer and reads none of it.
  if (c.req.method === 'HEAD') return new Response(null, init);
  const left = new AbortController();
  const iterator = pieces(AbortSignal.any([left.signal, c.req.raw.signal]));
  const ended = c.get('meter')?.streamOpened();
  // Encoded a piece at a time, as it is asked for: a line may be of many MiB.
  let rest = '';
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        if (rest === '') rest = (await iterator.next()).value ?? '';
        if (rest !== '') {
          const end = pieceEnd(rest);
          controller.enqueue(encoder.encode(rest.slice(0, end)));
          rest = rest.slice(end);
          return;
        }
      } catch (error) {
        ended?.();
        throw error;
      }
      ended?.();
      controller.close();
    },
    cancel() {
      ended?.();
      left.abort();
      // Not waited for: it ends when what the pieces wait for has been cancelled.
      iterator.return?.()?.catch(() => undefined);
    },
  });
  return new Response(body, init);
}

/** Characters that are sent at a time, see `piecesOf`. */
const PIECE = 256 * 1024;

/** Not between the two halves of a character beyond the basic plane. */
function pieceEnd(text: string): number {
  const code = text.charCodeAt(PIECE - 1);
  return code >= 0xd800 && code <= 0xdbff ? PIECE - 1 : PIECE;
}

/** Streams one JSON value a line. */
export const ndjson = (c: Context<Env>, lines: (gone: AbortSignal) => AsyncIterable<unknown>): Response =>
  textStream(c, { 'Content-Type': 'application/x-ndjson' }, (gone) => written(lines(gone)));

async function* written(lines: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const line of lines) yield* jsonLine(line);
}

import type { Context } from 'hono';
import type { Env } from './context.ts';
import type { Headers } from './headers.ts';
import { piecesOf } from './pieces.ts';

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
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (!done) {
          for (const piece of piecesOf(encoder.encode(value))) controller.enqueue(piece);
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

/** Streams one JSON value a line. */
export const ndjson = (c: Context<Env>, lines: (gone: AbortSignal) => AsyncIterable<unknown>): Response =>
  textStream(c, { 'Content-Type': 'application/x-ndjson' }, (gone) => written(lines(gone)));

async function* written(lines: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

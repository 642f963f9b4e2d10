import type { Context } from 'hono';
import type { Env } from './context.ts';

const encoder = new TextEncoder();

/**
 * Streams one JSON value a line. The next is asked for when the last has been taken, so a slow reader holds one line.
 * `lines` is given a signal that is aborted when the reader goes away.
 */
export function ndjson(c: Context<Env>, lines: (gone: AbortSignal) => AsyncIterator<unknown>): Response {
  const left = new AbortController();
  const iterator = lines(AbortSignal.any([left.signal, c.req.raw.signal]));
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    cancel() {
      left.abort();
      // Not waited for: it ends when what the lines wait for has been cancelled.
      iterator.return?.()?.catch(() => undefined);
    },
  });
  return new Response(body, { headers: { ...c.get('headers'), 'Content-Type': 'application/x-ndjson' } });
}

import type { ServerResponse } from 'node:http';
import { type Kept, keepPieces } from './leak-search.ts';

/** These show plaintext to those who may see it, where they succeed. */
const opening = /(?:\/decode|:decode|:search|:export)$/;
const streaming = /(?:\/history|:decode|:search|:export)$/;

const pathOf = (url: string): string => url.split('?', 1)[0]!;

const kindOf = (method: string, url: string, status: number): Kept =>
  method === 'POST' && status === 200 && opening.test(pathOf(url)) ? 'opened' : 'sealed';

/** Keeps what is written to a port, headers and body, when it is. */
export function keepSent(response: ServerResponse): void {
  const keep = keepPieces();
  for (const name of ['writeHead', 'write', 'end'] as const) {
    const own: (...given: any[]) => unknown = response[name].bind(response);
    Object.assign(response, {
      [name]: (...given: unknown[]) => {
        const result = own(...given);
        const kept = kindOf(response.req.method ?? '', response.req.url ?? '', response.statusCode);
        for (const one of given) {
          if (typeof one === 'string' || one instanceof Uint8Array) keep(one, kept);
          else if (typeof one === 'object') keep(JSON.stringify(one), kept);
        }
        return result;
      },
    });
  }
}

/**
 * Keeps an answer without a port: at once, since many a test reads no more than its status, or where it is a stream,
 * as it is read, which is no sooner for that.
 */
export async function keptAnswer({ method, url }: Request, response: Response): Promise<Response> {
  const keep = keepPieces();
  const kept = kindOf(method, url, response.status);
  keep(JSON.stringify([...response.headers]), kept);
  if (response.body === null) return response;
  if (response.status !== 200 || !streaming.test(pathOf(url))) {
    keep(await response.clone().bytes(), kept);
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        keep(value, kept);
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, response);
}

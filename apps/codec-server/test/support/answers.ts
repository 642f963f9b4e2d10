import type { ServerResponse } from 'node:http';
import { type Kept, keepChunks } from './leak-search.ts';

/** Routes whose successful responses contain plaintext. */
const opening = /(?:\/decode|\/download|:decode(?:-\w+)?|:search|:export|\/query)$/;
const streaming = /(?:\/history|:causes|:decode(?:-\w+)?|:search|:export|\/query)$/;

const pathOf = (url: string): string => url.split('?', 1)[0]!;

const kindOf = (method: string, url: string, status: number): Kept =>
  method === 'POST' && status === 200 && opening.test(pathOf(url)) ? 'withPlaintext' : 'withoutPlaintext';

/** Records all headers and bodies that a server writes to its connections. */
export function keepSent(response: ServerResponse): void {
  const keep = keepChunks();
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
 * Records a response of an app without a port. Reads the body immediately, because many tests only read the
 * status. Records a stream only while the test reads it.
 */
export async function keptAnswer({ method, url }: Request, response: Response): Promise<Response> {
  const keep = keepChunks();
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

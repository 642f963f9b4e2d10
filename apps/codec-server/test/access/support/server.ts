import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { HttpError } from '../../../src/errors.ts';
import type { TemporalService } from '../../../src/temporal/service.ts';

export interface Answer {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly body: string;
  /** The error's code. The codec protocol's errors are text and have no code. */
  readonly code: string | undefined;
  /** The error's message. */
  readonly message: string;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

/** Sends headers exactly as given, because fetch would join repeated headers. */
export async function ask(
  port: number,
  { method = 'GET', path, headers = [], body }: Asked,
): Promise<Answer> {
  const length: [string, string][] = body === undefined ? [] : [['Content-Length', `${body.length}`]];
  const all = [['Host', `127.0.0.1:${port}`], ...headers, ...length].flat();
  const out = request({ port, host: '127.0.0.1', method, path, headers: all });
  out.end(body);
  const [response]: IncomingMessage[] = await once(out, 'response');
  if (response === undefined) throw new Error('no response');
  const answer = await text(response);
  const isJson = response.headers['content-type'] === 'application/json';
  const error = isJson ? JSON.parse(answer).error : undefined;
  return {
    status: response.statusCode ?? 0,
    challenge: response.headers['www-authenticate'],
    body: answer,
    code: error?.code,
    message: error?.message ?? answer.trimEnd(),
  };
}

/** A Temporal service without any workflows. */
export const emptyTemporal: TemporalService = new Proxy<any>(
  {},
  {
    get: (_, call) => async () => {
      if (call === 'healthy') return true;
      throw new HttpError(404, 'not_found', 'Temporal has no such workflow.');
    },
  },
);

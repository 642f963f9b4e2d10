import { escapeInText } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { Env } from './context.ts';
import { reply, replyJson } from './reply.ts';
import type { ResponseHeaders } from './headers.ts';
import type { RateLimits } from './rate-limits.ts';
import { HttpError } from '../errors.ts';

export interface FailureOptions {
  readonly headers: ResponseHeaders;
  readonly log: Logger;
  /** Whether a path is of the history API, whose errors are JSON; the CLI prints the others as they come. */
  readonly isApi: (path: string) => boolean;
  /** Absent: refused requests are not limited. */
  readonly rates?: Pick<RateLimits, 'unauthenticated'>;
}

/** Turns what a handler threw into an answer that the caller can use, with CORS headers or the browser can't read it. */
export const failure =
  ({ headers, log, isApi, rates }: FailureOptions) =>
  (error: Error, c: Context<Env>): Response => {
    c.set('headers', headers.of(c.req.header('origin')));
    const thrown = error instanceof HttpError ? error : unexpected(error, log);
    const refusal = isUnauthenticated(c, thrown) ? (rates?.unauthenticated(c) ?? thrown) : thrown;
    c.error = refusal;
    const extra: Record<string, string> = {};
    if (refusal.retryAfter !== undefined) extra['Retry-After'] = String(refusal.retryAfter);
    if (refusal.challenge !== undefined) extra['WWW-Authenticate'] = refusal.challenge;
    // Names in it may come from callers, and a terminal may show it.
    const message = escapeInText(refusal.message);
    if (isApi(c.req.path)) {
      return replyJson(c, { error: { code: refusal.code, message } }, refusal.status, extra);
    }
    return reply(c, `${message}\n`, 'text/plain; charset=utf-8', refusal.status, extra);
  };

/** Whether a request was refused before its caller was known: it counts for its address. */
const isUnauthenticated = (c: Context<Env>, { status }: HttpError): boolean =>
  status < 500 && c.get('caller') === undefined;

function unexpected(error: Error, log: Logger): HttpError {
  // The stack names files and functions; messages may quote what was being read.
  log.error({ error: error.name, stack: stackOf(error) }, 'request failed unexpectedly');
  return new HttpError(500, 'internal', 'The server failed; its log says where.');
}

const stackOf = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');

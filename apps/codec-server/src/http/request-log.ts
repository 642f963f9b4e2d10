import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Level, Logger } from 'pino';
import { Refusal } from '../refusal.ts';
import type { Env } from './context.ts';
import type { HttpMeter } from './meter.ts';

/**
 * One line a request, and its measure. The route's pattern, never the path or the query: both may hold what isn't the
 * log's business.
 */
export function requestLog(log: Logger, meter?: HttpMeter): MiddlewareHandler<Env> {
  return async (c, next) => {
    const start = performance.now();
    if (meter !== undefined) c.set('meter', meter);
    await next();
    const ms = Math.round((performance.now() - start) * 10) / 10;
    const answered = {
      method: c.req.method,
      route: c.get('route') ?? routePath(c),
      status: c.res.status,
      ms,
    };
    meter?.request(answered);
    const level = levelOf(answered.status);
    if (log.isLevelEnabled(level)) log[level]({ ...answered, ...whyOf(c.error) }, 'request');
  };
}

/** Clients hide it: the CLI prints `context deadline exceeded` alone. */
function whyOf(error: Error | undefined): { code?: string; reason?: string } {
  if (!(error instanceof Refusal)) return {};
  return { code: error.code, ...(error.loggable && { reason: error.message }) };
}

/**
 * What was served is counted by the metrics, and what was decrypted stands in the audit: a third line for each payload
 * that a page shows would hide those that somebody has to look at.
 */
function levelOf(status: number): Level {
  if (status < 400) return 'debug';
  return status < 500 ? 'info' : 'warn';
}

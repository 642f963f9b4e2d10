import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';
import type { Env } from './context.ts';

/** One line a request. The route's pattern, never the path or the query: both may hold what isn't the log's business. */
export function requestLog(log: Logger): MiddlewareHandler<Env> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const ms = Math.round((performance.now() - start) * 10) / 10;
    log.info(
      { method: c.req.method, route: c.get('route') ?? routePath(c), status: c.res.status, ms },
      'request',
    );
  };
}

import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Level, Logger } from 'pino';
import { MinuteCounts } from '../minute-counts.ts';
import { HttpError } from '../errors.ts';
import type { Env } from './context.ts';
import type { HttpMeter } from './meter.ts';

/** Lines that a minute may have for one method, route, status and code, and how many of these are distinguished. */
const MAX_LINES = 10;
const MAX_KINDS = 64;

interface Answered {
  readonly method: string;
  /** The route's pattern, never the path or the query: both may hold what isn't the log's business. */
  readonly route: string;
  readonly status: number;
  /** Absent where the line counts many. */
  readonly ms?: number | undefined;
  readonly code?: string;
  readonly reason?: string;
  /** How many more there were like it. */
  readonly count?: number;
}

/**
 * One line a request, and its measure. No client can fill the log: of refused requests of one kind the first of a
 * minute have a line each, and the others one with their number when the minute ends.
 * @param stopping aborted when the server is to end
 */
export function requestLog(log: Logger, stopping: AbortSignal, meter?: HttpMeter): MiddlewareHandler<Env> {
  const write = (answered: Answered): void => log[levelOf(answered.status)](answered, 'request');
  const refused = new MinuteCounts<Answered>({
    kinds: MAX_KINDS,
    ended: (repeated) => {
      for (const { first, count } of repeated) write({ ...first, ms: undefined, count });
    },
  });
  stopping.addEventListener('abort', () => refused.flush(), { once: true });
  const passes = (answered: Answered): boolean => {
    const { method, route, status, code } = answered;
    const kind = `${method} ${route} ${status} ${code}`;
    if (refused.has(kind) || refused.hasRoom) return refused.pass(kind, answered, MAX_LINES);
    return refused.pass(`${status}`, { method: 'other', route: 'other', status }, 0);
  };
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
    if (!log.isLevelEnabled(level)) return;
    if (answered.status < 400) return write(answered);
    const line = { ...answered, ...whyOf(c.error) };
    if (passes(line)) write(line);
  };
}

/** Clients hide it: the CLI prints `context deadline exceeded` alone. */
function whyOf(error: Error | undefined): { code?: string; reason?: string } {
  if (!(error instanceof HttpError)) return {};
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

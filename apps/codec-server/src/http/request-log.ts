import type { Context, MiddlewareHandler, Next } from 'hono';
import { KmsCodecError, type ReasonCode } from '@temporal-kms/kms-codec';
import { MinuteAggregator } from '@temporal-kms/node-utils/minute-aggregator';
import { routePath } from 'hono/route';
import type { Level, Logger } from 'pino';
import { HttpError } from '../errors.ts';
import type { RequestSpan, Spans } from '../observability/spans.ts';
import { inTraceOf, parseTraceparent } from '../observability/trace-context.ts';
import type { Env, HttpMeter } from './context.ts';

/**
 * Maximum number of lines per minute for each kind of request, and maximum number of kinds. The method,
 * route, status, code and reason code make up the kind.
 */
const MAX_LINES = 10;
const MAX_KINDS = 64;

interface Answered {
  readonly method: string;
  /** The route's pattern, but never the path or the query, which may contain the caller's data. */
  readonly route: string;
  readonly status: number;
  /** The request's duration in milliseconds. Undefined if the line counts several requests. */
  readonly ms?: number | undefined;
  readonly code?: string;
  /** Why a payload could not be encoded or decoded. */
  readonly reasonCode?: ReasonCode;
  readonly reason?: string;
  /** Number of further requests of the same kind, if the line counts several requests. */
  readonly count?: number;
}

/**
 * Logs, measures and traces each request. Clients cannot fill the log: in each minute, only the first
 * rejected requests of a kind get a line each, and a line at the end of the minute counts the other requests
 * of that kind.
 * @param stopping aborted when the server shuts down
 * @param spans undefined if no traces are exported
 */
export function requestLog(
  log: Logger,
  stopping: AbortSignal,
  meter?: HttpMeter,
  spans?: Spans,
): MiddlewareHandler<Env> {
  const write = (answered: Answered): void => log[levelOf(answered.status)](answered, 'request');
  const rejected = new MinuteAggregator<Answered>({
    kinds: MAX_KINDS,
    flushed: (suppressed) => {
      for (const { first, count } of suppressed) write({ ...first, ms: undefined, count });
    },
  });
  stopping.addEventListener('abort', () => rejected.flush(), { once: true });
  const passes = (answered: Answered): boolean => {
    const { method, route, status, code, reasonCode = '' } = answered;
    const kind = `${method} ${route} ${status} ${code} ${reasonCode}`;
    if (rejected.has(kind) || rejected.hasRoom) return rejected.pass(kind, answered, MAX_LINES);
    return rejected.pass(`${status}`, { method: 'other', route: 'other', status }, 0);
  };
  const handle = async (c: Context<Env>, next: Next, span?: RequestSpan): Promise<void> => {
    const start = performance.now();
    const observed = span === undefined ? meter : withSpan(meter, span);
    if (observed !== undefined) c.set('meter', observed);
    await next();
    const ms = Math.round((performance.now() - start) * 10) / 10;
    const answered = {
      method: c.req.method,
      route: c.get('route') ?? routePath(c),
      status: c.res.status,
      ms,
    };
    meter?.request(answered);
    span?.answered({ ...answered, code: errorFields(c.error).code });
    const level = levelOf(answered.status);
    if (!log.isLevelEnabled(level)) return;
    if (answered.status < 400) return write(answered);
    const line = { ...answered, ...errorFields(c.error) };
    if (passes(line)) write(line);
  };
  return (c, next) => {
    const traceparent = c.req.header('traceparent');
    if (spans === undefined) return inTraceOf(traceparent, () => handle(c, next));
    return spans.request(c.req.method, parseTraceparent(traceparent), (span) => handle(c, next, span));
  };
}

/** Returns a meter for one request. The request's span ends together with its stream. */
const withSpan = (meter: HttpMeter | undefined, span: RequestSpan): HttpMeter => ({
  request: (answered) => meter?.request(answered),
  rateLimited: (limit) => meter?.rateLimited(limit),
  streamOpened: () => {
    const ended = [meter?.streamOpened(), span.streamOpened()];
    return () => {
      for (const end of ended) end?.();
    };
  },
});

/**
 * Returns the error's message for the operator, because clients hide the message: the CLI prints only
 * `context deadline exceeded`.
 */
function errorFields(error: Error | undefined): Pick<Answered, 'code' | 'reasonCode' | 'reason'> {
  if (!(error instanceof HttpError)) return {};
  const { code, cause, loggable, message } = error;
  return {
    code,
    ...(cause instanceof KmsCodecError && { reasonCode: cause.code }),
    ...(loggable && { reason: loggable === true ? message : loggable }),
  };
}

/**
 * Logs successful requests at level debug, because at level info they would hide the failures. The metrics
 * count successful requests, and the audit records decryptions.
 */
function levelOf(status: number): Level {
  if (status < 400) return 'debug';
  return status < 500 ? 'info' : 'warn';
}

import type { MiddlewareHandler } from 'hono';
import type { Env } from './context.ts';
import { Refusal } from './refusal.ts';

/** What one request, and all of them together, may take. An operator may set the first six. */
export interface Limits {
  /** Bytes of one body. Default 16 MiB, four times what Temporal's gRPC takes in one message, base64 and all. */
  readonly maxBody: number;
  /** Payloads in one request of the codec protocol. Default 10,000. */
  readonly maxPayloads: number;
  /** Requests under way, streams not counted. Default 256. */
  readonly maxRequests: number;
  /** Streams of the history API that are open. Default 256. */
  readonly maxStreams: number;
  /** Milliseconds for one request, streams not counted: what hasn't been answered by then is 504. Default 30,000. */
  readonly requestMs: number;
  /** Milliseconds that a reader may take nothing of what is waiting for it. Default 30,000. */
  readonly stalledMs: number;
}

export const defaultLimits: Limits = {
  maxBody: 16 * 1024 * 1024,
  maxPayloads: 10_000,
  maxRequests: 256,
  maxStreams: 256,
  requestMs: 30_000,
  stalledMs: 30_000,
};

const RETRY_SECONDS = 1;

const busy = (what: string): Refusal =>
  new Refusal(503, 'busy', `The server has ${what} under way, as many as it takes at once; try again.`, {
    retryAfter: RETRY_SECONDS,
  });

interface UnderWay {
  /** On the clock of `performance.now()`. */
  readonly until: number;
  readonly giveUp: (why: Refusal) => void;
}

/**
 * How many requests at once, and how long each. One timer looks after all: each has the same time, so the first to
 * begin is the first to be late.
 */
export function limitRequests({
  maxRequests,
  requestMs,
}: Pick<Limits, 'maxRequests' | 'requestMs'>): (work: () => Promise<void>) => Promise<void> {
  const underWay = new Set<UnderWay>();
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    timer = undefined;
    const now = performance.now();
    for (const request of underWay) {
      if (request.until > now) {
        timer = setTimeout(look, request.until - now).unref();
        return;
      }
      underWay.delete(request);
      request.giveUp(
        new Refusal(504, 'timeout', `This took longer than ${requestMs} ms; ask for less at once.`),
      );
    }
  };

  return (work) => {
    if (underWay.size >= maxRequests) throw busy(`${maxRequests} requests`);
    return new Promise<void>((resolve, reject) => {
      const request = { until: performance.now() + requestMs, giveUp: reject };
      // What is still at work after its time finds its request answered, and ends: see isOver.
      const run = async (): Promise<void> => {
        try {
          await work();
          resolve();
        } catch (error) {
          reject(error);
        } finally {
          underWay.delete(request);
        }
      };
      underWay.add(request);
      timer ??= setTimeout(look, requestMs).unref();
      void run();
    });
  };
}

/** How many streams at once. A stream counts until its connection is done with it, not only until it has begun. */
export function limitStreams({ maxStreams }: Limits): MiddlewareHandler<Env> {
  let open = 0;
  return async (c, next) => {
    if (open >= maxStreams) throw busy(`${maxStreams} streams`);
    open += 1;
    const done = (): void => void (open -= 1);
    const outgoing = c.env?.outgoing;
    if (outgoing === undefined) return next().finally(done);
    outgoing.once('close', done);
    await next();
  };
}

/** Whether nobody waits for the answer any more: the client went away, or was told that it took too long. */
export function isOver(c: { readonly env?: Env['Bindings'] }): boolean {
  const outgoing = c.env?.outgoing;
  return outgoing !== undefined && (outgoing.destroyed || outgoing.writableEnded);
}

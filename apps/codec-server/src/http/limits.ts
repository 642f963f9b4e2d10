import type { Context } from 'hono';
import type { Env } from './context.ts';
import { ClientDisconnected, HttpError } from '../errors.ts';

/** What one request, and all of them together, may take. An operator may set the first five. */
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

const busy = (what: string): HttpError =>
  new HttpError(503, 'busy', `The server has ${what} under way, as many as it takes at once; try again.`, {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

export const shuttingDown = (): HttpError =>
  new HttpError(503, 'shutting_down', 'The server is ending; try again.', {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

/** What a request still gets when the server is to end, before its connection is cut. */
const ENDING_MS = 8_000;

interface UnderWay {
  /** On the clock of `performance.now()`. */
  readonly until: number;
  readonly giveUp: (why: HttpError) => void;
}

/**
 * How many requests at once, and how long each. One timer looks after all: each has the same time, so the first to
 * begin is the first to be late.
 * @param stopping aborted when the server is to end: those that aren't answered in time then are told so
 */
export function limitRequests(
  { maxRequests, requestMs }: Pick<Limits, 'maxRequests' | 'requestMs'>,
  stopping: AbortSignal,
): (work: () => Promise<void>) => Promise<void> {
  const underWay = new Set<UnderWay>();
  let timer: NodeJS.Timeout | undefined;

  const endAll = (): void => {
    for (const { giveUp } of underWay) giveUp(shuttingDown());
    underWay.clear();
  };
  stopping.addEventListener('abort', () => void setTimeout(endAll, ENDING_MS).unref(), { once: true });

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
        new HttpError(504, 'timeout', `This took longer than ${requestMs} ms; ask for less at once.`, {
          loggable: true,
        }),
      );
    }
  };

  return (work) => {
    if (underWay.size >= maxRequests) throw busy(`${maxRequests} requests`);
    return new Promise<void>((resolve, reject) => {
      const request = { until: performance.now() + requestMs, giveUp: reject };
      // What is still at work after its time finds its request answered, and ends: see isResponseClosed.
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

/** Takes a request whose caller is known into what is counted, until its answer has left. */
export type Admit = (c: Context<Env>) => void;

/**
 * How many streams at once. A stream counts until its connection is done with it, not only until it has begun.
 * @returns to be called when somebody may have their stream, and before it begins; throws HttpError 503 `busy`
 */
export function limitStreams({ maxStreams }: Pick<Limits, 'maxStreams'>): Admit {
  let open = 0;
  return (c) => {
    const outgoing = c.env?.outgoing;
    if (outgoing === undefined) return;
    if (outgoing.destroyed) throw new ClientDisconnected();
    if (open >= maxStreams) throw busy(`${maxStreams} streams`);
    open += 1;
    outgoing.once('close', () => (open -= 1));
  };
}

import type { Context } from 'hono';
import { ClientDisconnected, HttpError } from '../errors.ts';
import type { Env } from './context.ts';

/** Limits of one request and of all requests together. Operators configure the first five. */
export interface Limits {
  /**
   * Bytes of one body. Default 16 MiB: four times the largest gRPC message of Temporal, which base64 and JSON enlarge.
   */
  readonly maxBody: number;
  /** Payloads in one request of the codec protocol. Default 10,000. */
  readonly maxPayloads: number;
  /** Requests in flight, without streams. Default 256. */
  readonly maxRequests: number;
  /** Open streams of the history API. Default 256. */
  readonly maxStreams: number;
  /** Milliseconds for one request, without streams; then it is answered 504. Default 30,000. */
  readonly requestMs: number;
  /** How many milliseconds a client may read nothing of a waiting response. Default 30,000. */
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
  new HttpError(503, 'busy', `The server already has ${what} in flight, its limit; try again.`, {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

export const shuttingDown = (): HttpError =>
  new HttpError(503, 'shutting_down', 'The server is shutting down; try again.', {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

/** Time for requests in flight after shutdown began; then they are answered 503. */
const DRAIN_MS = 8_000;

interface InFlight {
  /** On the clock of `performance.now()`. */
  readonly until: number;
  readonly giveUp: (error: HttpError) => void;
}

/**
 * Limits how many requests run at once and how long each may take. One timer serves all requests, since the first to
 * start is the first to time out: a timer per request was measurable on small requests.
 * @param stopping aborted when the server shuts down
 * @returns runs a request; throws HttpError 503 `busy`, 504 `timeout`, 503 `shutting_down`
 */
export function limitRequests(
  { maxRequests, requestMs }: Pick<Limits, 'maxRequests' | 'requestMs'>,
  stopping: AbortSignal,
): (work: () => Promise<void>) => Promise<void> {
  const inFlight = new Set<InFlight>();
  let timer: NodeJS.Timeout | undefined;

  const endAll = (): void => {
    for (const { giveUp } of inFlight) giveUp(shuttingDown());
    inFlight.clear();
  };
  stopping.addEventListener('abort', () => void setTimeout(endAll, DRAIN_MS).unref(), { once: true });

  const endLate = (): void => {
    timer = undefined;
    const now = performance.now();
    for (const request of inFlight) {
      if (request.until > now) {
        timer = setTimeout(endLate, request.until - now).unref();
        return;
      }
      inFlight.delete(request);
      request.giveUp(
        new HttpError(
          504,
          'timeout',
          `The request took longer than ${requestMs} ms; send smaller requests.`,
          { loggable: true },
        ),
      );
    }
  };

  return (work) => {
    if (inFlight.size >= maxRequests) throw busy(`${maxRequests} requests`);
    return new Promise<void>((resolve, reject) => {
      const request = { until: performance.now() + requestMs, giveUp: reject };
      // Work that continues after the timeout finds its response closed, and stops: see isResponseClosed.
      const run = async (): Promise<void> => {
        try {
          await work();
          resolve();
        } catch (error) {
          reject(error);
        } finally {
          inFlight.delete(request);
        }
      };
      inFlight.add(request);
      timer ??= setTimeout(endLate, requestMs).unref();
      void run();
    });
  };
}

/** Counts a stream until its response closes. @throws HttpError 503 `busy`, ClientDisconnected */
export type AdmitStream = (c: Context<Env>) => void;

/**
 * Limits how many streams are open. A stream counts until its connection is done with the response.
 * @returns call it once the caller is authorised, before the stream begins
 */
export function limitStreams({ maxStreams }: Pick<Limits, 'maxStreams'>): AdmitStream {
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

/**
 * Disconnects clients that stop reading: their unread response occupies memory, or keeps a stream open. Node's socket
 * timeout fires after a time without progress in either direction; a stream without new data is not stalled.
 *
 * @param stalledMs milliseconds in which a client may read nothing
 * @returns call it for each request before it is answered; it ignores requests without a port
 */
export function cutStalledReaders(stalledMs: number): (c: { readonly env?: Env['Bindings'] }) => void {
  return ({ env }) => {
    const { outgoing } = env ?? {};
    if (outgoing === undefined || outgoing.destroyed || !('setTimeout' in outgoing)) return;
    outgoing.setTimeout(stalledMs, () => {
      const { socket } = outgoing;
      if (!socket) return;
      if (outgoing.writableLength + socket.writableLength > 0) socket.destroy();
      else socket.setTimeout(stalledMs);
    });
  };
}

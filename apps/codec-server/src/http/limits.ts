import type { Context } from 'hono';
import { ClientDisconnected, HttpError } from '../errors.ts';
import type { Env } from './context.ts';

/** Limits for one request and for all requests together. Operators can configure the first five limits. */
export interface Limits {
  /**
   * Maximum size of a body in bytes. Default: 16 MiB, four times Temporal's largest gRPC message, because
   * base64 and JSON add to the size.
   */
  readonly maxBody: number;
  /** Maximum number of payloads in one codec protocol request. Default: 10,000. */
  readonly maxPayloads: number;
  /** Maximum number of requests in flight, except streams. Default: 256. */
  readonly maxRequests: number;
  /** Maximum number of streams that the history API keeps open. Default: 256. */
  readonly maxStreams: number;
  /** Milliseconds after which a request, except a stream, gets 504. Default: 30,000. */
  readonly requestMs: number;
  /**
   * Milliseconds after which a client that does not read a waiting response is disconnected. Default: 30,000.
   */
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
  new HttpError(503, 'busy', `The server has reached its limit of ${what} in flight; try again.`, {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

export const shuttingDown = (): HttpError =>
  new HttpError(503, 'shutting_down', 'The server is shutting down; try again.', {
    retryAfter: RETRY_SECONDS,
    loggable: true,
  });

/**
 * How long requests in flight may continue after a shutdown begins, in milliseconds. After that, the
 * remaining requests get 503.
 */
const DRAIN_MS = 8_000;

interface InFlight {
  /** The time at which the request times out, on the clock of `performance.now()`. */
  readonly until: number;
  readonly giveUp: (error: HttpError) => void;
}

/**
 * Limits the number of concurrent requests and the duration of each. Uses one timer for all requests, because
 * requests time out in the order in which they started, and one timer per request measurably slowed down
 * small requests.
 * @param stopping aborted when the server shuts down
 * @returns a function that runs a request; throws HttpError 503 `busy`, 504 `timeout`, 503 `shutting_down`
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
      // Work that continues after the timeout stops as soon as it finds the response closed: see
      // isResponseClosed.
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
 * Limits the number of open streams. A stream counts until the connection has finished the response.
 * @returns a function to call after the caller is authorised and before the stream begins
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
 * Disconnects clients that stop reading, because an unread response occupies memory or keeps a stream open.
 * Node's socket timeout fires if there was no progress in either direction; a client that waits for a
 * stream's next data does not count as stalled.
 *
 * @param stalledMs milliseconds after which a client that reads nothing is disconnected
 * @returns a function to call for each request before the response. The function does nothing if a test calls
 * the app without a port
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

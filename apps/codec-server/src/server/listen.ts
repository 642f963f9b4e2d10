import {
  createServer as createHttpServer,
  IncomingMessage,
  type RequestListener,
  ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import type { Env } from '../http/context.ts';
import { MAX_HEADER_COUNT } from '../http/guard.ts';
import { maxConnections } from '../memory/heap.ts';
import { answerBadRequests } from './bad-requests.ts';
import { trackConnections } from './connections.ts';
import type { TlsPair } from './tls.ts';
import { serverTls } from './tls-rules.ts';
import { batchPerTick } from './batch-per-tick.ts';

export interface RunningServer {
  readonly port: number;
  /** For connections from now on; those that stand go on with the old one. */
  useCertificate(pair: TlsPair): void;
  /**
   * Takes no new connection, closes those that nothing is asked on, lets requests under way finish with
   * `Connection: close`, and cuts those that don't within `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Given the port that was bound: it is part of the `Host` headers that are served. */
  readonly app: (port: number) => {
    fetch(request: Request, bindings: Env['Bindings']): Response | Promise<Response>;
  };
  /** Absent: plain HTTP. */
  readonly tls?: TlsPair | undefined;
}

/**
 * Time for a request's headers, and for the whole of it; Node's own are 60 and 300 s, long enough to hold many half sent.
 * Less than a request may take: one that doesn't arrive is told so, and not that it took too long.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 25_000;

/**
 * Longer than Google's load balancers keep theirs (600 s), or one could send a request on a connection that is just
 * being closed: https://docs.cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends
 */
const KEEP_ALIVE_MS = 620_000;

/** Node looks only every 30 s by itself. */
const LOOK_MS = 1_000;
/** Of TLS; Node's own is 120 s. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Bytes. Node's own 16 KiB is too little for an access token beside the ID token that Temporal's Web UI sends along. */
const MAX_HEADERS = 64 * 1024;

/** Node reads no more headers than these and leaves the others out; a request with more is refused, see `guard`. */
const MAX_HEADER_LINES = MAX_HEADER_COUNT + 1;

/** @throws Node's error, with its `code`, when the port can't be bound */
export async function listen({ host, port, app, tls }: ListenOptions): Promise<RunningServer> {
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: LOOK_MS,
    maxHeaderSize: MAX_HEADERS,
  };
  const server =
    tls === undefined
      ? createHttpServer(timeouts)
      : createHttpsServer({
          ...timeouts,
          ...tls,
          ...serverTls,
          handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        });
  server.maxConnections = maxConnections();
  server.maxHeadersCount = MAX_HEADER_LINES;
  const connections = trackConnections(server, tls !== undefined);
  answerBadRequests(server, {
    maxHead: MAX_HEADERS,
    tls: tls !== undefined,
    mayAnswer: connections.mayAnswer,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  const bound = address.port;
  // In the same turn of the event loop: nothing has been read yet.
  server.on('request', listenerOf(app(bound), connections.resetter));
  return {
    port: bound,
    useCertificate: (pair) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...pair, ...serverTls });
    },
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.endUnused();
      const cut = setTimeout(() => connections.cut(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

function listenerOf(
  app: ReturnType<ListenOptions['app']>,
  resetter: NonNullable<Env['Bindings']['resetter']>,
): RequestListener {
  const turn = batchPerTick();
  const listener = getRequestListener(async (request, { incoming, outgoing }) => {
    // HTTP/2's are of other classes, and aren't served here.
    const http1 = incoming instanceof IncomingMessage && outgoing instanceof ServerResponse;
    await turn();
    // Awaited, since a promise that settles with another takes two more turns of the queue.
    return await app.fetch(request, http1 ? { incoming, outgoing, resetter } : {});
  });
  // It answers its own failures.
  return (incoming, outgoing) => {
    // A connection that was cut may have more in what was read of it already.
    if (!incoming.socket.destroyed) void listener(incoming, outgoing);
  };
}

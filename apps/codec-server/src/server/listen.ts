import {
  createServer as createHttpServer,
  IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { codeOf } from '../errors.ts';
import type { Env } from '../http/context.ts';
import { createResponseHeaders, MAX_HEADER_COUNT } from '../http/guards.ts';
import { maxConnections } from '../memory.ts';
import { trackConnections } from './connections.ts';
import { serverTls, type TlsPair } from './tls.ts';

export interface RunningServer {
  readonly port: number;
  /** For new connections; open connections keep the old certificate. */
  useCertificate(pair: TlsPair): void;
  /**
   * Shuts down gracefully: accepts no new connection, closes idle connections, lets requests in flight complete with
   * `Connection: close`, and closes what is left after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
  /** Called with the bound port, which is part of the accepted `Host` headers. */
  readonly app: (port: number) => {
    fetch(request: Request, bindings: Env['Bindings']): Response | Promise<Response>;
  };
  /** Absent: plain HTTP. */
  readonly tls?: TlsPair | undefined;
}

/**
 * Time for a request's headers, and for the whole request. Node's defaults (60 and 300 s) let clients hold many half-sent
 * requests. Below the time limit of a request, so that a slow client gets 408 and not 504.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 25_000;

/**
 * Longer than Google's load balancers keep theirs (600 s): otherwise one could send a request on a connection that this
 * server is closing. https://docs.cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends
 */
const KEEP_ALIVE_MS = 620_000;

/** How often Node checks these timeouts. Its default is 30 s. */
const TIMEOUT_CHECK_MS = 1_000;
/** For TLS. Node's default is 120 s. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Largest head, in bytes. Node's 16 KiB do not fit the access token and the ID token that Temporal's Web UI sends. */
const MAX_HEAD = 64 * 1024;

/** Node drops header lines above this number without an error; `guard` rejects requests that reach it. */
const MAX_HEADER_LINES = MAX_HEADER_COUNT + 1;

/** Listens on a port. @throws Node's error, with its `code`, when the port cannot be bound */
export async function listen({ host, port, app, tls }: ListenOptions): Promise<RunningServer> {
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: MAX_HEAD,
  };
  const server =
    tls === undefined
      ? createHttpServer(timeouts)
      : createHttpsServer({ ...timeouts, ...tls, ...serverTls, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  server.maxConnections = maxConnections();
  server.maxHeadersCount = MAX_HEADER_LINES;
  const connections = trackConnections(server, tls !== undefined);
  answerBadRequests(server, tls !== undefined, connections.mayAnswer);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  const bound = address.port;
  // In the same turn of the event loop as `listen`, so no request has been read yet.
  server.on('request', listenerOf(app(bound), connections.resetter));
  return {
    port: bound,
    useCertificate: (pair) => {
      if ('setSecureContext' in server) server.setSecureContext({ ...pair, ...serverTls });
    },
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.endUnused();
      const timer = setTimeout(() => connections.closeAll(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function listenerOf(
  app: ReturnType<ListenOptions['app']>,
  resetter: NonNullable<Env['Bindings']['resetter']>,
): RequestListener {
  const nextBatch = batchPerTick();
  const listener = getRequestListener(async (request, { incoming, outgoing }) => {
    // HTTP/2 has other classes; this server does not speak it.
    const http1 = incoming instanceof IncomingMessage && outgoing instanceof ServerResponse;
    await nextBatch();
    // Awaited, since returning a promise from an async function takes two more turns of the microtask queue.
    return await app.fetch(request, http1 ? { incoming, outgoing, resetter } : {});
  });
  // The listener handles its own errors.
  return (incoming, outgoing) => {
    // A destroyed connection may still have requests in the data that was read.
    if (!incoming.socket.destroyed) void listener(incoming, outgoing);
  };
}

/** Most requests per batch: their clients send the next requests while the responses of one batch are written. */
const MAX_BATCH = 32;

/**
 * Returns a function that waits until the event loop has read all requests that have arrived, with one wait for all of
 * them. Requests that arrive together then run without system calls between them, which serves 1.4 times as many
 * requests per second under load. A single request waits for no other.
 */
export function batchPerTick(): () => Promise<void> {
  let batch: Promise<void> | undefined;
  let room = 0;
  return () => {
    if (batch === undefined || room === 0) {
      const started = new Promise<void>((resolve) => {
        setImmediate(() => {
          if (batch === started) batch = undefined;
          resolve();
        });
      });
      batch = started;
      room = MAX_BATCH;
    }
    room -= 1;
    return batch;
  };
}

/**
 * Responds with a text to requests that Node's parser rejects; Node's own responses have no body. The application never
 * sees these requests, so there are no CORS headers.
 *
 * @param mayAnswer whether a response may be written to the socket
 */
function answerBadRequests(server: Server, tls: boolean, mayAnswer: (socket: Duplex) => boolean): void {
  const always = createResponseHeaders([], tls).of(undefined);
  const responseTo = (code: string | undefined): string => {
    const [status, text] = parserError(code);
    const headers = {
      ...always,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': text.length + 1,
      Connection: 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', `${text}\n`].join('\r\n');
  };
  server.on('clientError', (error, socket) => {
    const code = codeOf(error);
    // Failed or unfinished TLS handshakes arrive here too: a response to them would wait without end.
    if (socket.writable && code !== 'ECONNRESET' && mayAnswer(socket)) {
      socket.end(responseTo(code), () => socket.destroy());
    } else {
      socket.destroy();
    }
  });
}

function parserError(code: string | undefined): readonly [status: number, text: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, `The request head is larger than ${MAX_HEAD} bytes; send fewer or smaller headers.`];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return [413, 'The extensions of a chunk are too large; send the body without them.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'The request did not arrive in time; send it faster, or send less.'];
    default:
      return [400, 'This is not an HTTP/1.1 request.'];
  }
}

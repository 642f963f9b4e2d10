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
import { maxConnections } from '../memory-limits.ts';
import { trackConnections } from './connections.ts';
import { serverTls, type TlsPair } from './tls.ts';

export interface RunningServer {
  readonly port: number;
  /** Replaces the certificate for new connections. Open connections keep the old certificate. */
  useCertificate(pair: TlsPair): void;
  /**
   * Shuts down gracefully: accepts no new connections, closes idle connections, lets requests in flight
   * complete with `Connection: close`, and closes all remaining connections after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** The port; 0 for a free port. */
  readonly port: number;
  /** Creates the handler. Called with the bound port, which is part of the accepted `Host` headers. */
  readonly app: (port: number) => {
    fetch(request: Request, bindings: Env['Bindings']): Response | Promise<Response>;
  };
  /** Without TLS settings, the server speaks plain HTTP. */
  readonly tls?: TlsPair | undefined;
}

/**
 * Time limits for receiving a request's headers and the whole request. With Node's defaults (60 and 300 s),
 * clients could hold many incomplete requests open. Both limits are shorter than the time limit for handling
 * a request, so that a slow client gets 408 and not 504.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 25_000;

/**
 * How long an idle connection stays open. The time must be longer than the 600 s of Google's load
 * balancers. Otherwise, a load balancer could send a request on a connection that this server is closing.
 * https://docs.cloud.google.com/load-balancing/docs/https#timeout-keepalive-backends
 */
const KEEP_ALIVE_MS = 620_000;

/**
 * Interval at which Node checks whether connections have exceeded their time limits. Node's default is 30
 * s.
 */
const TIMEOUT_CHECK_MS = 1_000;
/** Time limit for TLS handshakes. Node's default is 120 s. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Maximum size of a request head in bytes. Node's default of 16 KiB is too small for the access token and the
 * ID token that Temporal's Web UI sends.
 */
const MAX_HEAD = 64 * 1024;

/** Node silently drops header lines above this number; `guard` rejects requests that reach it. */
const MAX_HEADER_LINES = MAX_HEADER_COUNT + 1;

/** Listens on a port. @throws Node's error, with its `code`, if the port cannot be bound */
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
  // No request has been read yet, because this runs in the same turn of the event loop as `listen`.
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
    // The types also include HTTP/2 classes, which this server does not use.
    const http1 = incoming instanceof IncomingMessage && outgoing instanceof ServerResponse;
    await nextBatch();
    // The response is awaited, because returning a promise from an async function takes two more turns of
    // the microtask queue.
    return await app.fetch(request, http1 ? { incoming, outgoing, resetter } : {});
  });
  // The listener handles its own errors.
  return (incoming, outgoing) => {
    // Data that was read before the connection was destroyed may still contain requests.
    if (!incoming.socket.destroyed) void listener(incoming, outgoing);
  };
}

/**
 * Maximum number of requests per batch. While one batch's responses are written, clients send the next
 * requests.
 */
const MAX_BATCH = 32;

/**
 * Returns a function that waits until the event loop has read all requests that have arrived. Requests that
 * arrive together share one wait and then run without system calls in between, which serves 1.4 times as many
 * requests per second under load. A single request does not wait for later requests.
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
 * Responds with text to requests that Node's parser rejects, because Node's own responses have no body. The
 * application does not see these requests, so the responses have no CORS headers.
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
    // Failed or incomplete TLS handshakes arrive here too. A response to a failed handshake would never be
    // sent.
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
      return [413, 'The chunk extensions are too large; send the body without chunk extensions.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'The request did not arrive in time; send it faster, or send less.'];
    default:
      return [400, 'This is not an HTTP/1.1 request.'];
  }
}

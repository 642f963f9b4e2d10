import { getRequestListener } from '@hono/node-server';
import { once } from 'node:events';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { cannotListen } from '../host.ts';
import type { Caller } from '../model/iam/callers.ts';
import type { DispatchDeps } from '../service/dispatch.ts';
import { createGrpcServer } from './grpc-server.ts';
import type { Protos } from './protos.ts';
import { createRestApp } from './rest/app.ts';
import type { RestRoute } from './rest/rules.ts';

/** A certificate chain and its private key, in PEM. */
export interface TlsFiles {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/**
 * A port that serves gRPC and REST. All calls on the port count as calls from one caller, because the
 * emulator checks no credentials.
 */
export interface Port {
  readonly port: number;
  close(): Promise<void>;
}

export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly caller: Caller;
  readonly tls: TlsFiles | undefined;
}

const CLOSE_AFTER = 500;

/** Listens on a port for one caller. @throws Error if the port is in use or the certificate is invalid */
export async function listen(
  deps: DispatchDeps,
  api: { readonly protos: Protos; readonly routes: readonly RestRoute[] },
  { host, port, caller, tls }: PortOptions,
): Promise<Port> {
  const stopped = new AbortController();
  const grpc = createGrpcServer(deps, api.protos, { caller, stopped: stopped.signal });
  const app = createRestApp(deps, {
    routes: api.routes,
    caller,
    tls: tls !== undefined,
    stopped: stopped.signal,
  });
  const listener = getRequestListener(app.fetch);
  const http = createHttpServer((request, response) => void listener(request, response));
  const responses = new Set<ServerResponse>();
  http.on('request', (_, response) => {
    responses.add(response);
    response.once('close', () => responses.delete(response));
  });

  const accept = (socket: Socket) => {
    // If a client resets its connection, this is not an error of the emulator.
    socket.on('error', () => socket.destroy());
    awaitFirstBytes(socket, (start) => {
      if (start.startsWith('PRI')) grpc.accept(socket);
      else http.emit('connection', socket);
    });
  };
  const server =
    tls === undefined
      ? createServer(accept)
      : createTlsServer({ ...tls, ALPNProtocols: ['h2', 'http/1.1'] }, accept);
  // With TLS, these are the TCP connections, so that a connection without a complete handshake is closed, too.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const bound = await bind(server, host, port);

  const close = async () => {
    stopped.abort();
    const closed = once(server, 'close');
    server.close();
    const forced = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSE_AFTER);
    await Promise.all([
      grpc.close(CLOSE_AFTER),
      ...[...responses].map((response) => once(response, 'close')),
    ]);
    for (const socket of sockets) socket.destroy();
    await closed;
    clearTimeout(forced);
  };
  return { port: bound, close };
}

/**
 * Waits for the first three bytes. HTTP/2, which gRPC uses, begins with `PRI`, and no HTTP/1 method begins
 * with these letters.
 */
function awaitFirstBytes(socket: Socket, route: (start: string) => void, before = Buffer.alloc(0)): void {
  socket.once('readable', () => {
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) return;
    const start = Buffer.concat([before, chunk]);
    if (start.length < 3) {
      awaitFirstBytes(socket, route, start);
      return;
    }
    socket.unshift(start);
    route(start.toString('latin1', 0, 3));
  });
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    server.once('error', (error) => reject(cannotListen(address, error)));
    server.listen(port, host, () => {
      const bound: AddressInfo | string | null = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

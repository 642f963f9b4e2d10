import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from '@temporal-kms/scripts/ports';

/** Listens on a free port of 127.0.0.1. @returns the port */
export async function listenOnLoopback(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError('The server has no port.');
  return bound.port;
}

/** Closes a server and its connections. */
export async function closeServer(server: HttpServer): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** A simulated network between clients and a server on loopback, which can fail in several ways. */
export interface Network {
  /** The port to which clients connect, which never changes. */
  readonly port: number;
  /** Resets all connections, and refuses new ones. */
  refuse(): Promise<void>;
  /** Ends the effect of {@link refuse}. */
  accept(): Promise<void>;
  /**
   * Accepts connections but forwards no data, even on open connections. A connection that was open during the
   * silence never works again.
   */
  silence(): void;
  /** Ends the effect of {@link silence}, but only for new connections. */
  speak(): void;
  close(): Promise<void>;
}

/** Starts a network in front of `127.0.0.1:target`. */
export async function startNetwork(target: number): Promise<Network> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const add = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((socket) => {
    add(socket);
    if (isSilent) return;
    const behind = connect(target, '127.0.0.1');
    add(behind);
    socket.on('close', () => behind.destroy());
    behind.on('close', () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  const listen = (port: number): Promise<number> => listenOnLoopback(server, port);
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  // While the network refuses connections, no other process may take its port.
  const [port = 0] = await freePorts(1);
  await listen(port);
  return {
    port,
    refuse: close,
    accept: async () => void (await listen(port)),
    silence: () => {
      isSilent = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    speak: () => void (isSilent = false),
    close,
  };
}

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Connections {
  /** Ends those that nothing is asked on, now, and each of the others once what was asked on it is answered. */
  endUnused(): void;
  /** Breaks off whatever is left. */
  cut(): void;
}

interface Connection {
  /** What carries HTTP: the socket itself, or the TLS in it; absent until its handshake is done. */
  http?: Socket;
  readonly tcp: Socket;
  answering?: ServerResponse;
}

/**
 * `server.close()` leaves connections alone on which no request has ever begun (a browser opens some ahead), and waits
 * for them; and one whose answer's head was sent before would be kept alive.
 */
export function trackConnections(server: Server, secure: boolean): Connections {
  const connections = new Map<string, Connection>();
  let ending = false;

  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    connections.set(name, { tcp: socket, ...(secure ? {} : { http: socket }) });
    socket.once('close', () => connections.delete(name));
    if (ending) socket.destroy();
  });
  server.on('secureConnection', (socket: Socket) => {
    const connection = connections.get(nameOf(socket));
    if (connection !== undefined) connection.http = socket;
  });
  // Before the application's own listener, which may answer at once.
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = connections.get(nameOf(socket));
    if (connection !== undefined) connection.answering = response;
    if (ending) response.shouldKeepAlive = false;
    response.once('close', () => {
      if (connection?.answering === response) delete connection.answering;
      if (ending) socket.end();
    });
  });

  return {
    endUnused: () => {
      ending = true;
      for (const { tcp, http, answering } of connections.values()) {
        if (answering !== undefined) answering.shouldKeepAlive = false;
        // Half a request is waited for: its end is a moment away, or a timeout is.
        else if (http === undefined || http.bytesRead === 0) tcp.destroy();
      }
    },
    cut: () => {
      for (const { tcp } of connections.values()) tcp.destroy();
    },
  };
}

/** A TCP connection and the TLS in it are two sockets of Node's; the other end's address and port are one. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

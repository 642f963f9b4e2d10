import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Connections {
  /** Ends those that nothing is asked on, now, and each of the others once what was asked on it is answered. */
  endUnused(): void;
  /** Breaks off whatever is left. */
  cut(): void;
}

interface Connection {
  readonly tcp: Socket;
  /** What carries HTTP: the socket itself, or the TLS in it; absent until its handshake is done. */
  http?: Socket;
  answering?: ServerResponse;
}

/**
 * `server.close()` leaves connections alone on which no request has ever begun (a browser opens some ahead), and waits
 * for them; and one whose answer's head was sent before would be kept alive.
 */
export function trackConnections(server: Server, secure: boolean): Connections {
  const connections = new Set<Connection>();
  const byHttp = new WeakMap<Socket, Connection>();
  const handshaking = new Map<string, Connection>();
  let ending = false;

  const carries = (connection: Connection, http: Socket): void => {
    connection.http = http;
    byHttp.set(http, connection);
  };
  server.on('connection', (socket: Socket) => {
    const connection = { tcp: socket };
    const name = nameOf(socket);
    connections.add(connection);
    if (secure) handshaking.set(name, connection);
    else carries(connection, socket);
    socket.once('close', () => {
      connections.delete(connection);
      if (handshaking.get(name) === connection) handshaking.delete(name);
    });
    if (ending) socket.destroy();
  });
  server.on('secureConnection', (socket: Socket) => {
    const name = nameOf(socket);
    const connection = handshaking.get(name);
    handshaking.delete(name);
    if (connection !== undefined) carries(connection, socket);
  });
  // Before the application's own listener, which may answer at once.
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = byHttp.get(socket);
    if (connection !== undefined) {
      connection.answering = response;
      response.once('close', () => {
        if (connection.answering === response) delete connection.answering;
      });
    }
    if (ending) endAfter(response, socket);
  });

  return {
    endUnused: () => {
      ending = true;
      for (const { tcp, http, answering } of connections) {
        if (http !== undefined && answering !== undefined) endAfter(answering, http);
        // Half a request is waited for: its end is a moment away, or a timeout is.
        else if (http === undefined || http.bytesRead === 0) tcp.destroy();
      }
    },
    cut: () => {
      for (const { tcp } of connections) tcp.destroy();
    },
  };
}

function endAfter(response: ServerResponse, http: Socket): void {
  response.shouldKeepAlive = false;
  response.once('close', () => http.end());
}

/** A TCP connection and the TLS in it are two sockets of Node's; the other end's address and port are one. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

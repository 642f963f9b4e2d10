import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Connections {
  /** Ends those that nothing is asked on, now, and each of the others once what was asked on it is answered. */
  endUnused(): void;
  /** Whether an answer may be written: HTTP is spoken on it, and no answer is under way, nor to come before. */
  readonly mayAnswer: (http: Duplex) => boolean;
  /** Breaks off whatever is left. */
  cut(): void;
  /**
   * Asked for when an answer begins. What it returns breaks the connection off, and throws away what the operating system
   * still has to send on it; not where anything else has been asked on it, and may be somebody else's.
   */
  readonly resetter: (http: Socket, response: ServerResponse) => () => void;
}

interface Connection {
  readonly tcp: Socket;
  /** What carries HTTP: the socket itself, or the TLS in it; absent until its handshake is done. */
  http?: Socket;
  answering?: ServerResponse;
  /** Requests whose answers haven't left yet. */
  asked: number;
  /** All requests until now. */
  total: number;
}

/**
 * Requests that may be asked on one connection before the first is answered. No client of the codec protocol asks ahead
 * at all, and Node reads on and keeps each head: without a limit whoever takes no answer fills the memory.
 */
const MAX_AHEAD = 4;

/**
 * Connections and what is asked on them.
 *
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
    const connection: Connection = { tcp: socket, asked: 0, total: 0 };
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
      connection.asked += 1;
      connection.total += 1;
      response.once('close', () => {
        connection.asked -= 1;
        if (connection.answering === response) delete connection.answering;
      });
      if (connection.asked > MAX_AHEAD) socket.destroy();
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
    mayAnswer: (http) => {
      const connection = http instanceof Socket ? byHttp.get(http) : undefined;
      return connection !== undefined && connection.asked <= 1 && connection.answering?.headersSent !== true;
    },
    cut: () => {
      for (const { tcp } of connections) tcp.destroy();
    },
    resetter: (http, response) => {
      const connection = byHttp.get(http);
      const last = connection?.asked === 1 ? connection.total : undefined;
      return () => {
        // Answers are given their socket one after the other, and lose it when the operating system has all of them.
        const isFirst = response.socket === http;
        const wasLast = connection?.asked === 0 && connection.total === last;
        if (isFirst || wasLast) connection?.tcp.resetAndDestroy();
      };
    },
  };
}

function endAfter(response: ServerResponse, http: Socket): void {
  response.shouldKeepAlive = false;
  response.once('close', () => http.end());
}

/** A TCP connection and the TLS in it are two sockets of Node's; the other end's address and port are one. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Connections {
  /** Closes idle connections now, and each of the others once its requests are answered. */
  endUnused(): void;
  /** Whether a response may be written: the connection carries HTTP, and no response is in progress or due before. */
  readonly mayAnswer: (http: Duplex) => boolean;
  /** Closes all connections that are left. */
  closeAll(): void;
  /**
   * Call it when a response begins. It returns a function that resets the connection and discards the data that the
   * operating system has not sent, unless another request has arrived on the connection: it may be another caller's.
   */
  readonly resetter: (http: Socket, response: ServerResponse) => () => void;
}

interface Connection {
  readonly tcp: Socket;
  /** The socket that carries HTTP: the TCP socket, or the TLS socket on it; absent until the handshake is done. */
  http?: Socket;
  answering?: ServerResponse;
  /** Requests whose responses have not left yet. */
  unanswered: number;
  /** All requests so far. */
  total: number;
}

/**
 * Most requests on one connection before the first is answered. No client of the codec protocol pipelines at all, and
 * Node reads and keeps each head: without a limit, a client that reads no response fills the memory.
 */
const MAX_PIPELINED = 4;

/**
 * Tracks connections and their requests. Node does not suffice: `server.close()` waits for connections on which no
 * request has begun (browsers open some ahead), and keeps a connection alive whose response head was sent before.
 */
export function trackConnections(server: Server, secure: boolean): Connections {
  const connections = new Set<Connection>();
  const byHttp = new WeakMap<Socket, Connection>();
  const handshaking = new Map<string, Connection>();
  let closing = false;

  const carries = (connection: Connection, http: Socket): void => {
    connection.http = http;
    byHttp.set(http, connection);
  };
  server.on('connection', (socket: Socket) => {
    const connection: Connection = { tcp: socket, unanswered: 0, total: 0 };
    const name = peerName(socket);
    connections.add(connection);
    if (secure) handshaking.set(name, connection);
    else carries(connection, socket);
    socket.once('close', () => {
      connections.delete(connection);
      if (handshaking.get(name) === connection) handshaking.delete(name);
    });
    if (closing) socket.destroy();
  });
  server.on('secureConnection', (socket: Socket) => {
    const name = peerName(socket);
    const connection = handshaking.get(name);
    handshaking.delete(name);
    if (connection !== undefined) carries(connection, socket);
  });
  // Before the application's listener, which may respond at once.
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = byHttp.get(socket);
    if (connection !== undefined) {
      connection.answering = response;
      connection.unanswered += 1;
      connection.total += 1;
      response.once('close', () => {
        connection.unanswered -= 1;
        if (connection.answering === response) delete connection.answering;
      });
      if (connection.unanswered > MAX_PIPELINED) socket.destroy();
    }
    if (closing) endAfter(response, socket);
  });

  return {
    endUnused: () => {
      closing = true;
      for (const { tcp, http, answering } of connections) {
        if (http !== undefined && answering !== undefined) endAfter(answering, http);
        // A request that has arrived in part gets its time: it ends soon, or a timeout ends it.
        else if (http === undefined || http.bytesRead === 0) tcp.destroy();
      }
    },
    mayAnswer: (http) => {
      const connection = http instanceof Socket ? byHttp.get(http) : undefined;
      return (
        connection !== undefined && connection.unanswered <= 1 && connection.answering?.headersSent !== true
      );
    },
    closeAll: () => {
      for (const { tcp } of connections) tcp.destroy();
    },
    resetter: (http, response) => {
      const connection = byHttp.get(http);
      const last = connection?.unanswered === 1 ? connection.total : undefined;
      return () => {
        // Node assigns the socket to one response after the other, until the operating system has all of its data.
        const isCurrent = response.socket === http;
        const wasLast = connection?.unanswered === 0 && connection.total === last;
        if (isCurrent || wasLast) connection?.tcp.resetAndDestroy();
      };
    },
  };
}

function endAfter(response: ServerResponse, http: Socket): void {
  response.shouldKeepAlive = false;
  response.once('close', () => http.end());
}

/** Identifies a connection: Node has separate sockets for TCP and TLS, with the same remote address and port. */
const peerName = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

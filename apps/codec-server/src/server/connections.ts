import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface Connections {
  /** Closes idle connections now, and other connections once their requests are complete. */
  endUnused(): void;
  /**
   * Whether a response may be written to the socket: the connection carries HTTP, and no earlier response is
   * in progress or pending.
   */
  readonly mayAnswer: (http: Duplex) => boolean;
  /** Closes all remaining connections. */
  closeAll(): void;
  /**
   * Call this function when a response begins. Returns a function that resets the connection and discards
   * data that the operating system has not sent. The function does nothing if another request, perhaps from
   * another caller, has arrived on the connection.
   */
  readonly resetter: (http: Socket, response: ServerResponse) => () => void;
}

interface Connection {
  readonly tcp: Socket;
  /**
   * The socket that carries HTTP: the TCP socket, or the TLS socket on top of it. Undefined until the TLS
   * handshake is complete.
   */
  http?: Socket;
  answering?: ServerResponse;
  /** Number of requests whose responses have not been sent yet. */
  unanswered: number;
  /** Number of all requests so far. */
  total: number;
}

/**
 * Maximum number of requests on one connection before the first response is sent. Clients of the codec
 * protocol do not pipeline at all, but Node reads and keeps each request head. Without a limit, a client that
 * reads no responses could fill the memory.
 */
const MAX_PIPELINED = 4;

/**
 * Tracks connections and their requests. Node's `server.close()` is not sufficient: it waits for connections
 * without any request (browsers open some in advance), and keeps a connection alive if its response headers
 * were already sent.
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
  // Runs before the application's listener, which may respond immediately.
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
        // Waits for a request that has partly arrived, because it either completes soon or times out.
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
        // Node assigns the socket to one response at a time, until the operating system has taken all of the
        // response's data.
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

/**
 * Identifies a connection by its remote address and port, which are the same for Node's TCP and TLS sockets.
 */
const peerName = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

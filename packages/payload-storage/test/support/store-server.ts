import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/**
 * A store that answers every request as a test specifies, even in ways in which no real store would.
 */
export interface StoreServer {
  readonly url: string;
  /** The method and the URL of every request. */
  readonly requests: string[];
  answer: Answer;
  close(): Promise<void>;
}

export async function startStoreServer(): Promise<StoreServer> {
  const requests: string[] = [];
  const http = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    // A client closes the connection when it has read enough.
    response.on('error', () => undefined);
    server.answer(response, request);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const server: StoreServer = {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    answer: (response) => response.writeHead(404).end(),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

/** Returns a function that responds with the bytes. */
export const withBytes =
  (bytes: Uint8Array, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) =>
    response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes);

/** Returns a function that declares no size, and sends chunks until the client disconnects. */
export const endless =
  (status = 200): Answer =>
  (response) => {
    response.writeHead(status);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const send = () => {
      if (response.destroyed) return;
      if (response.write(chunk)) setImmediate(send);
      else response.once('drain', send);
    };
    send();
  };

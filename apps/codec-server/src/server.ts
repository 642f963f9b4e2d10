import { createAdaptorServer } from '@hono/node-server';

export interface RunningServer {
  readonly port: number;
  /** Takes no new connection, lets requests under way finish, and cuts those that don't within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Given the port that was bound: it is part of the `Host` headers that are served. */
  readonly app: (port: number) => { fetch(request: Request): Response | Promise<Response> };
}

/** Time for a whole request to arrive; Node's own is 300 s, long enough to hold many bodies half sent. */
const REQUEST_TIMEOUT_MS = 30_000;

/** @throws Node's error, with its `code`, when the port can't be bound */
export async function listen({ host, port, app }: ListenOptions): Promise<RunningServer> {
  const serving = Promise.withResolvers<ReturnType<ListenOptions['app']>>();
  const server = createAdaptorServer({
    fetch: async (request) => (await serving.promise).fetch(request),
    serverOptions: { requestTimeout: REQUEST_TIMEOUT_MS },
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('not listening on a port');
  const bound = address.port;
  serving.resolve(app(bound));
  return {
    port: bound,
    close: async (graceMs) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const cut = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

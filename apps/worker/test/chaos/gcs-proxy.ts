import { createServer, request as send } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A delay in milliseconds. The delay is longer than a process waits for the store at startup, but shorter
 * than a running process waits.
 */
const SLOW_MS = 3_000;

/** How the proxy handles requests. */
export type ProxyMode = 'pass' | 'refuse writes' | 'slow' | 'hang';

/**
 * Starts a proxy in front of fake-gcs-server, on loopback. With STORAGE_EMULATOR_HOST, Google's client reads
 * objects under `/b/`, which fake-gcs-server does not serve, so the proxy adds the JSON API's prefix.
 */
export async function startGcsProxy(target: number) {
  let mode: ProxyMode = 'pass';
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const { method, url = '/', headers } = incoming;
      if (mode === 'hang') return;
      if (mode === 'refuse writes' && method !== 'GET') {
        incoming.resume();
        outgoing.writeHead(403).end();
        return;
      }
      if (mode === 'slow') await sleep(SLOW_MS);
      const path = url.startsWith('/b/') ? `/storage/v1${url}` : url;
      const forwarded = send({ host: '127.0.0.1', port: target, method, path, headers }, (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(outgoing);
      });
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    set: (wanted: ProxyMode): Promise<void> => {
      mode = wanted;
      // Ends hanging requests by closing their connections.
      if (wanted === 'pass') server.closeAllConnections();
      return Promise.resolve();
    },
    close: async (): Promise<void> => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

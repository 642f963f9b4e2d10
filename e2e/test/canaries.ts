import { once } from 'node:events';
import { createServer } from 'node:net';

export interface Canary {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** How many connections came. */
  readonly heard: () => number;
  close(): void;
}

/** Stands where nothing may go: counts who connects, and hangs up. */
export async function startCanary(): Promise<Canary> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined).destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (!bound || typeof bound === 'string') throw new Error('the canary has no port');
  return { address: `127.0.0.1:${bound.port}`, heard: () => connections, close: () => void server.close() };
}

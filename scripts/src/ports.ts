import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The range is above the ports that browsers refuse (up to 10,080). The range is below the ports of outgoing
 * connections (on Linux, from 32,768), because a client could take such a port before our server listens.
 * Ports are random, so that processes that choose a port at the same time rarely choose the same port.
 * get-port would give each of these processes the first free port.
 */
const FIRST = 11_000;
const LAST = 32_000;

/** Returns `count` different ports of 127.0.0.1 that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(FIRST, LAST);
    if (!(await isPortTaken(port))) ports.add(port);
  }
  return [...ports];
}

/** Returns whether a process listens on this port of 127.0.0.1. */
export async function isPortTaken(port: number): Promise<boolean> {
  try {
    await once((await listen(port)).close(), 'close');
    return false;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return true;
    throw error;
  }
}

async function listen(port: number) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

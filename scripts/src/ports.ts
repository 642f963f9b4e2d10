import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tryLock } from './lock.ts';
import { devDir } from './project.ts';

/**
 * The range is above the ports that browsers refuse (up to 10,080). The range is below the ports of outgoing
 * connections (on Linux, from 32,768), because a client could take such a port before our server listens.
 * Ports are random, because get-port would give every process that asks at the same time the first free port.
 */
const FIRST = 11_000;
const LAST = 32_000;

/** Contains a lock for each port that `freePorts` has returned to a running process of this checkout. */
const locks = join(devDir, 'ports');

/**
 * Returns `count` different ports of 127.0.0.1 that are free now. While this process runs, this function
 * gives these ports to no other process of this checkout, because the server for a port may start to listen
 * only seconds later.
 */
export async function freePorts(count: number): Promise<number[]> {
  await mkdir(locks, { recursive: true });
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST, LAST);
    if ((await tryLock(join(locks, String(port)))) && !(await isPortTaken(port))) ports.push(port);
  }
  return ports;
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

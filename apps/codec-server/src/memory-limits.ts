import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/* Limits that follow from the memory of the container or machine, and from V8's heap limit. */

const MiB = 1024 * 1024;

/**
 * Returns the size of the raw history cache in bytes: 64 MiB, or a sixteenth of the heap limit if that is
 * less.
 */
export const historyBytes = (): number => Math.min(64 * MiB, getHeapStatistics().heap_size_limit / 16);

/**
 * Memory of the process itself in bytes: Node, Google's and Temporal's clients, raw history, and worker
 * threads.
 */
const OWN_BYTES = 192 * MiB;
const LEAST_BUDGET = 32 * MiB;
const LARGEST_BUDGET = 512 * MiB;

/**
 * Returns the memory that requests in flight share, in bytes: half of the container's (cgroup) or machine's
 * memory after subtracting `OWN_BYTES`, at most three quarters of V8's heap limit, and always between 32 and
 * 512 MiB.
 */
export function inflightBytes(): number {
  const left = Math.min((memoryLimit() - OWN_BYTES) / 2, getHeapStatistics().heap_size_limit * 0.75);
  return Math.floor(Math.min(Math.max(left, LEAST_BUDGET), LARGEST_BUDGET));
}

/** Memory in bytes of a connection before its caller is known: the socket and an incomplete head. */
const CONNECTION_BYTES = 80 * 1024;
const MOST_CONNECTIONS = 4_096;

/**
 * Returns the connection limit of one port, so that connections with incomplete heads take at most an eighth
 * of the memory and a quarter of V8's heap limit.
 */
export function maxConnections(): number {
  const bytes = Math.min(memoryLimit() / 8, getHeapStatistics().heap_size_limit / 4);
  return Math.floor(Math.min(bytes / CONNECTION_BYTES, MOST_CONNECTIONS));
}

/** Memory of the container (cgroup) or the machine in bytes. */
const memoryLimit = (): number => Math.min(process.constrainedMemory() || Infinity, totalmem());

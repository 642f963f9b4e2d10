import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

const MiB = 1024 * 1024;

/** In a smaller heap, buffers alone would reach the limit, and V8 would collect garbage without end. */
const ROOMY = 512 * MiB;

/**
 * Makes V8 count the bytes of buffers towards the limits of its heap. Otherwise V8 marks the whole heap after every 64 MiB
 * of new buffers, several times per second under load: a third of the time at 100 payloads per request
 * (docs/performance.md). With it, short-lived buffers are collected with the young generation. Leaves small heaps as they
 * are.
 */
export function countBuffersAsHeap(): void {
  if (getHeapStatistics().heap_size_limit < ROOMY) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

/** Returns the size of the cache of raw history in bytes: 64 MiB, or a sixteenth of a smaller heap. */
export const historyBytes = (): number => Math.min(64 * MiB, getHeapStatistics().heap_size_limit / 16);

/** Memory of the process itself: Node, the clients of Google and Temporal, raw history, worker threads. */
const OWN_BYTES = 192 * MiB;
const LEAST_BUDGET = 32 * MiB;
const LARGEST_BUDGET = 512 * MiB;

/**
 * Returns the memory that requests in flight share, in bytes: half of the container's (cgroup) or machine's memory that
 * the process leaves, at most three quarters of V8's heap, 32 to 512 MiB.
 */
export function inflightBytes(): number {
  const left = Math.min((memoryLimit() - OWN_BYTES) / 2, getHeapStatistics().heap_size_limit * 0.75);
  return Math.floor(Math.min(Math.max(left, LEAST_BUDGET), LARGEST_BUDGET));
}

/** Memory of a connection before its caller is known: an unfinished head, and the socket. */
const CONNECTION_BYTES = 80 * 1024;
const MOST_CONNECTIONS = 4_096;

/** Returns the connection limit of one port: with a head each, they hold an eighth of the memory or a quarter of V8's heap. */
export function maxConnections(): number {
  const bytes = Math.min(memoryLimit() / 8, getHeapStatistics().heap_size_limit / 4);
  return Math.floor(Math.min(bytes / CONNECTION_BYTES, MOST_CONNECTIONS));
}

/** Bytes of the container (cgroup) or the machine. */
const memoryLimit = (): number => Math.min(process.constrainedMemory() || Infinity, totalmem());

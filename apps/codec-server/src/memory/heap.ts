import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

const MiB = 1024 * 1024;

/** Below it the buffers' bytes alone would come near the heap's limit, and V8 would look for garbage all the time. */
const ROOMY = 512 * MiB;

/**
 * Has V8 count the bytes of buffers into the limits of its heap. Without that it marks the whole heap each time that
 * 64 MiB of buffers were made, dead or alive, which a server of base64 and ciphertext does several times a second: a
 * third of its time at 100 payloads a request (docs/performance.md). With it, buffers that die young are let go with
 * the young objects that held them. Leaves a small heap as it is.
 */
export function countBuffersAsHeap(): void {
  if (getHeapStatistics().heap_size_limit < ROOMY) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

/** Bytes of raw history to keep: 64 MiB, or less where the heap is small, since so is the machine then. */
export const historyBytes = (): number => Math.min(64 * MiB, getHeapStatistics().heap_size_limit / 16);

/** What the process needs for itself: Node, Google's and Temporal's clients, raw history, threads that search. */
const OWN_BYTES = 192 * MiB;
const LEAST_BUDGET = 32 * MiB;
const LARGEST_BUDGET = 512 * MiB;

/**
 * The memory that requests in flight may hold together, from the limits that are in force: half of what a container's
 * limit (a cgroup) or the machine leaves, three quarters of V8's heap where that is less, 32 to 512 MiB.
 */
export function inflightBytes(): number {
  const left = Math.min((memoryLimit() - OWN_BYTES) / 2, getHeapStatistics().heap_size_limit * 0.75);
  return Math.floor(Math.min(Math.max(left, LEAST_BUDGET), LARGEST_BUDGET));
}

/** What a connection may hold before anybody knows who asks: a head that has yet to end, and its socket. */
const CONNECTION_BYTES = 80 * 1024;
const MOST_CONNECTIONS = 4_096;

/** How many connections one port takes: with a head each they hold an eighth of the memory, or a quarter of V8's heap. */
export function maxConnections(): number {
  const bytes = Math.min(memoryLimit() / 8, getHeapStatistics().heap_size_limit / 4);
  return Math.floor(Math.min(bytes / CONNECTION_BYTES, MOST_CONNECTIONS));
}

/** Of a container (a cgroup), or the machine. */
const memoryLimit = (): number => Math.min(process.constrainedMemory() || Infinity, totalmem());

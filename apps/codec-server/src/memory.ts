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

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/* When V8 collects the buffers that requests no longer use. */

const MiB = 1024 * 1024;

/**
 * A heap limit below this size is small: buffers alone would reach the limit, and V8 would collect garbage
 * constantly.
 */
const ROOMY = 512 * MiB;

/**
 * Makes V8 count buffers towards its heap limits, so that short-lived buffers are collected with the young
 * generation. Otherwise V8 marks the whole heap after every 64 MiB of new buffers, several times per second
 * under load, which takes a third of the time at 100 payloads per request. Does nothing if the heap is
 * small.
 */
export function countBuffersAsHeap(): void {
  if (getHeapStatistics().heap_size_limit < ROOMY) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

/** How many released bytes trigger a collection of the young generation, if the heap is small. */
const COLLECT_BYTES = 16 * MiB;

/**
 * Returns a function that collects V8's young generation after every `COLLECT_BYTES` released bytes. V8
 * itself does not collect until dead buffers take 64 MiB, which is a quarter of the smallest memory limit. A
 * collection takes about a millisecond. Does nothing if the heap is large.
 */
export function youngCollector(): (released: number) => void {
  if (getHeapStatistics().heap_size_limit >= ROOMY) return () => undefined;
  // Without a Node option, this is the only way to call the collector.
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  let bytes = 0;
  return (released) => {
    bytes += released;
    if (bytes < COLLECT_BYTES) return;
    bytes = 0;
    collect({ type: 'minor' });
  };
}

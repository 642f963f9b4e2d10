import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 count the bytes of buffers into the limits of its heap. Without that it marks the whole heap each time that
 * 64 MiB of buffers were made, dead or alive, which a server of base64 and ciphertext does several times a second:
 * half of its time at 100 payloads a request (docs/performance.md). With it, buffers that die young are let go with the
 * young objects that held them.
 */
export function countBuffersAsHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}

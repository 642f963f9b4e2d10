import { randomFillSync } from 'node:crypto';
import { openSync, readSync } from 'node:fs';

/*
 * OpenSSL keeps its random generator's state in the process and reseeds it from the kernel only about once an
 * hour. If a snapshot of a machine or process is resumed twice, both copies generate the same bytes, and two
 * equal nonces under one data key break AES-GCM. Nonces and data keys therefore also use bytes from the
 * kernel's generator, which is reseeded when the hypervisor announces a clone (VM generation id, Linux 5.18).
 */
const KERNEL_DEVICE = '/dev/urandom';
let kernel: number | undefined;

/**
 * Fills `bytes` from the kernel's generator. Returns false on a platform without such a generator, such as
 * Windows.
 */
function readKernel(bytes: Uint8Array): boolean {
  try {
    kernel ??= openSync(KERNEL_DEVICE, 'r');
    // Stryker disable next-line BooleanLiteral: a second attempt reads other random bytes.
    if (readSync(kernel, bytes, 0, bytes.length, null) === bytes.length) return true;
  } catch {
    // The device does not exist, or other code has closed the file descriptor.
  }
  kernel = undefined;
  return false;
}

export const NONCE_BYTES = 12;
/**
 * Number of nonces per read from the kernel. A separate read for each nonce would take a tenth of the time
 * that it takes to encrypt 1 KiB.
 */
const BATCH = 64;
const newBatch = () => new Uint32Array(new ArrayBuffer(BATCH * NONCE_BYTES));
const fromKernel = newBatch();

/**
 * Fills `words` with random bytes from OpenSSL's generator, XORed with bytes from the kernel's generator. The
 * result is at least as good as the output of the better generator. Uses only OpenSSL's generator if the
 * kernel's generator cannot be read.
 * @param words no longer than a batch of nonces
 */
export function fillRandom(words: Uint32Array): void {
  randomFillSync(words);
  const bytes = new Uint8Array(fromKernel.buffer, 0, words.byteLength);
  // The second attempt reopens the device in case other code has closed the file descriptor.
  if (!readKernel(bytes)) readKernel(bytes);
  words.forEach((word, n) => (words[n] = word ^ (fromKernel[n] ?? 0)));
  // Stryker disable next-line CallExpression: no other code can read this memory.
  fromKernel.fill(0);
}

const batch = newBatch();
const views = Array.from(
  { length: BATCH },
  (_, n) => new Uint8Array(batch.buffer, n * NONCE_BYTES, NONCE_BYTES),
);
const unused: Uint8Array[] = [];
const now = new Float64Array(1);
const nowWords = new Uint32Array(now.buffer);

/**
 * Returns a random nonce, as a view that is valid until the next call. XORs the nonce with the monotonic
 * clock's reading. If a process is cloned, both copies have the same unused nonces in memory, but a nonce
 * repeats only if both copies use the nonce in the same nanosecond.
 */
export function nextNonce(): Uint8Array {
  const nonce = unused.pop();
  if (nonce === undefined) {
    fillRandom(batch);
    unused.push(...views);
    return nextNonce();
  }
  now[0] = performance.now();
  const at = nonce.byteOffset / Uint32Array.BYTES_PER_ELEMENT;
  nowWords.forEach((word, n) => (batch[at + n] = (batch[at + n] ?? 0) ^ word));
  return nonce;
}

import { randomFillSync } from 'node:crypto';
import { openSync, readSync } from 'node:fs';
import { NONCE_BYTES } from '../wire/aead-box.ts';

/*
 * A snapshot of a machine or process that is resumed twice resumes two equal generators: OpenSSL keeps its generator's
 * state in the process, and takes no new seed from the kernel for up to an hour. Two equal nonces under one data key
 * break AES-GCM. So nonces and data keys also take bytes of the kernel's generator, which starts anew where the
 * hypervisor tells it of a clone (VM generation id, Linux 5.18).
 */
const KERNEL = '/dev/urandom';
let kernel: number | undefined;

/** Whether the bytes are the kernel's. They can't be had on Windows, for one. */
function readKernel(bytes: Uint8Array): boolean {
  try {
    kernel ??= openSync(KERNEL, 'r');
    return readSync(kernel, bytes, 0, bytes.length, null) === bytes.length;
  } catch {
    kernel = undefined;
    return false;
  }
}

/** Nonces that are drawn together: a call to the kernel for each would cost a tenth of a message of 1 KiB. */
const BATCH = 64;
const WORDS_PER_NONCE = NONCE_BYTES / Uint32Array.BYTES_PER_ELEMENT;
const fromKernel = new Uint32Array(BATCH * WORDS_PER_NONCE);

/**
 * Random bytes of OpenSSL's generator combined with the kernel's: as good as the better of the two. Where the kernel's
 * can't be read, they are OpenSSL's alone.
 * @param words at most as many as a batch of nonces has
 */
export function fillRandom(words: Uint32Array): void {
  randomFillSync(words);
  const bytes = new Uint8Array(fromKernel.buffer, 0, words.byteLength);
  // What a second attempt finds closed, it opens again.
  if (!readKernel(bytes) && !readKernel(bytes)) return;
  for (let n = 0; n < words.length; n++) words[n] = (words[n] ?? 0) ^ (fromKernel[n] ?? 0);
  fromKernel.fill(0);
}

const batch = new Uint32Array(BATCH * WORDS_PER_NONCE);
const views = Array.from(
  { length: BATCH },
  (_, n) => new Uint8Array(batch.buffer, n * NONCE_BYTES, NONCE_BYTES),
);
const unused: Uint8Array[] = [];
const now = new Float64Array(1);
const nowWords = new Uint32Array(now.buffer);

/**
 * The next random nonce: a view that is good until the next call. The clock's nanoseconds are mixed in: a clone that
 * holds the same unused nonces repeats one only where it uses it at the same nanosecond of its own clock.
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
  for (let n = 0; n < nowWords.length; n++) batch[at + n] = (batch[at + n] ?? 0) ^ (nowWords[n] ?? 0);
  return nonce;
}

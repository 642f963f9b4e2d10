/** Below this length a loop is faster than a call that copies a range. */
const SHORT = 16;

/**
 * Copies a match of an LZ77 format: `length` bytes that start `offset` bytes before `to`. A match may overlap the bytes that
 * it writes, which are then repeated.
 */
export function copyMatch(out: Uint8Array, to: number, offset: number, length: number): void {
  if (length < SHORT) {
    for (let n = 0; n < length; n += 1) out[to + n] = out[to + n - offset] ?? 0;
    return;
  }
  // Each iteration doubles the number of bytes that can be copied.
  for (let done = 0; done < length;) {
    const size = Math.min(offset + done, length - done);
    out.copyWithin(to + done, to - offset, to - offset + size);
    done += size;
  }
}

/** Copies literal bytes. */
export function copyLiterals(
  out: Uint8Array,
  to: number,
  from: Uint8Array,
  at: number,
  length: number,
): void {
  if (length < SHORT) for (let n = 0; n < length; n += 1) out[to + n] = from[at + n] ?? 0;
  else out.set(from.subarray(at, at + length), to);
}

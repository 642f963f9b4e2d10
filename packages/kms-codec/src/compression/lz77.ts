/** Below this a loop is faster than the call that copies a range. */
const SHORT = 16;

/**
 * Repeats `length` bytes that stand `offset` bytes before `to`, as LZ77 formats mean it: where the match overlaps what
 * it writes, the bytes that it has just written are repeated.
 */
export function copyMatch(out: Uint8Array, to: number, offset: number, length: number): void {
  if (length < SHORT) {
    for (let n = 0; n < length; n += 1) out[to + n] = out[to + n - offset] ?? 0;
    return;
  }
  // Each round doubles the stretch that is there to be copied.
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

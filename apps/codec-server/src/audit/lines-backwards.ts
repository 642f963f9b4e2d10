import type { FileHandle } from 'node:fs/promises';

const CHUNK = 64 * 1024;
/** A longer line is none of ours; it isn't kept in memory whole. */
const MAX_LINE = 256 * 1024;

const LINE_FEED = 0x0a;

export interface FileLine {
  /** Byte at which it begins. */
  readonly start: number;
  /** Without its line break; undefined for one that is too long. */
  readonly text: string | undefined;
}

/**
 * The whole lines of a file before byte `end`, the last one first, read in pieces as they are asked for. `end` is where
 * a line begins, or the end of the file; what stands behind the last line break is no whole line.
 */
export async function* linesBackwards(handle: FileHandle, end: number): AsyncGenerator<FileLine, void> {
  let position = end;
  /** Bytes of the line whose beginning hasn't been read, and whether they reach up to its line break. */
  let rest: Buffer = Buffer.alloc(0);
  let tooLong = false;
  let whole = false;
  while (position > 0) {
    const length = Math.min(CHUNK, position);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position - length);
    if (bytesRead < length) throw new Error('the file became shorter');
    let upTo = length;
    for (
      let at = buffer.lastIndexOf(LINE_FEED);
      at >= 0;
      at = at > 0 ? buffer.lastIndexOf(LINE_FEED, at - 1) : -1
    ) {
      const line = Buffer.concat([buffer.subarray(at + 1, upTo), rest]);
      const start = position - length + at + 1;
      if (whole) yield { start, text: tooLong || line.length > MAX_LINE ? undefined : line.toString('utf8') };
      [whole, tooLong, rest, upTo] = [true, false, Buffer.alloc(0), at];
    }
    rest = Buffer.concat([buffer.subarray(0, upTo), rest]);
    if (rest.length > MAX_LINE) [tooLong, rest] = [true, Buffer.alloc(0)];
    position -= length;
  }
  if (whole) yield { start: 0, text: tooLong ? undefined : rest.toString('utf8') };
}

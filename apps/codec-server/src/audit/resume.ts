import type { FileHandle } from 'node:fs/promises';
import { type ChainHead, hashOf, linkOf } from './chain.ts';
import type { Torn } from './file-marks.ts';

/** How much of a file's end is looked through for the last line of a chain; a line has at most a quarter of it. */
const WINDOW = 1024 * 1024;

const LINE_FEED = 0x0a;

/** How a file goes on. */
export interface Resumed {
  /** The last line of the chain in it; absent where it has none, or none near its end. */
  readonly head: ChainHead | undefined;
  /** What stands behind that line. */
  readonly torn: Torn | undefined;
  /** Whether a line feed must come first. */
  readonly isOpen: boolean;
}

/**
 * Looks for the last line of a chain in a file, and for what a crash or a full disk left behind it. A last line that
 * lacks its line feed alone is whole.
 * @throws Node's error when the file can't be read
 */
export async function resume(handle: FileHandle, size: number): Promise<Resumed> {
  const window = Buffer.alloc(Math.min(size, WINDOW));
  const from = size - window.length;
  await readFully(handle, window, from);
  const isOpen = window.length > 0 && window.at(-1) !== LINE_FEED;
  const text = isOpen ? Buffer.concat([window, Buffer.of(LINE_FEED)]) : window;
  for (let end = text.length - 1; end >= 0;) {
    const begin = text.lastIndexOf(LINE_FEED, end - 1) + 1;
    // The first one in the window may have begun before it.
    if (begin === 0 && from > 0) break;
    const link = linkOf(text.subarray(begin, end));
    if (link !== undefined) {
      const rest = text.subarray(end + 1);
      return {
        head: { seq: link.seq, hash: hashOf(text.subarray(begin, end + 1)) },
        torn: rest.length === 0 ? undefined : tornOf(rest),
        isOpen,
      };
    }
    end = begin - 1;
  }
  return { head: undefined, torn: undefined, isOpen };
}

const tornOf = (rest: Uint8Array): Torn => ({
  bytes: rest.length,
  sha256: hashOf(rest),
});

async function readFully(handle: FileHandle, into: Buffer, from: number): Promise<void> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await handle.read(into, at, into.length - at, from + at);
    if (bytesRead === 0) throw new Error('the audit file became shorter while it was read');
    at += bytesRead;
  }
}

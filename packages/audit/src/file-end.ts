import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import {
  checkTrusted,
  type OpenedFile,
  openTrustedFile,
  UntrustedFileError,
} from '@temporal-kms/node-utils/trusted-files';
import { type ChainHead, hashOf, linkOf } from './chain.ts';
import type { Torn } from './lines.ts';

/**
 * With O_APPEND, the kernel finds the end of the file and writes there in one step. O_RDWR is needed because
 * the chain continues from the last line, which must be read.
 */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

/**
 * Opens a file for appending. Rejects a file that users other than this process's user and root can write,
 * replace or redirect. Creates a missing file with mode 0600.
 * @throws UntrustedFileError if another user could change the file; Node's error, with its `code`
 */
export async function openToAppend(path: string): Promise<OpenedFile> {
  const opened = await openTrustedFile(path, FLAGS);
  try {
    checkNames(path, opened.info);
    return opened;
  } catch (error) {
    await opened.handle.close();
    throw error;
  }
}

/** Returns whether two results of `lstat` are about the same file, whatever the file's name. */
export const isSameFile = (a: Pick<Stats, 'dev' | 'ino'>, b: Pick<Stats, 'dev' | 'ino'>): boolean =>
  a.ino === b.ino && a.dev === b.dev;

/**
 * @throws UntrustedFileError if other users could write to a file, or if the file has hard links under other
 *   names
 */
export function checkLock(path: string, info: Stats): void {
  checkNames(path, info);
  checkTrusted(path, info);
}

/** After a rotation, a hard link would still lead to the old file. */
function checkNames(path: string, { nlink }: Stats): void {
  if (nlink > 1)
    throw new UntrustedFileError(
      `${path} has other names (hard links): remove the links, or configure another file`,
    );
}

/**
 * Number of bytes at the end of a file that are searched for the chain's last line. No line is longer than a
 * quarter of this number.
 */
const WINDOW = 1024 * 1024;

const LINE_FEED = 0x0a;

/** The last line of an audit file's chain, and what follows that line. */
export interface FileEnd {
  /** The last line of the chain; absent if no chained line is near the end of the file. */
  readonly head: ChainHead | undefined;
  /** The bytes after the last line of the chain. */
  readonly torn: Torn | undefined;
  /** Whether the last line lacks its line feed. */
  readonly isOpen: boolean;
}

/**
 * Finds the last line of the chain in a file, and any bytes that a crash or a full disk left after that line.
 * A last line without its line feed counts as complete.
 * @throws Node's error if the file cannot be read
 */
export async function readEnd(handle: FileHandle, size: number): Promise<FileEnd> {
  const window = Buffer.alloc(Math.min(size, WINDOW));
  const from = size - window.length;
  await readFully(handle, window, from);
  const isOpen = window.length > 0 && window.at(-1) !== LINE_FEED;
  const text = isOpen ? Buffer.concat([window, Buffer.of(LINE_FEED)]) : window;
  // If the file begins with a line feed, `end` becomes 0. `lastIndexOf` would interpret -1 as the last byte.
  // Stryker disable next-line ArithmeticOperator: the search would only begin with an empty line.
  for (let end = text.length - 1; end > 0;) {
    const begin = text.lastIndexOf(LINE_FEED, end - 1) + 1;
    // The first line in the window may begin before the window.
    if (begin === 0 && from > 0) break;
    const link = linkOf(text.subarray(begin, end));
    if (link !== undefined) {
      const rest = text.subarray(end + 1);
      return {
        head: { seq: link.seq, hash: hashOf(text.subarray(begin, end + 1)) },
        torn: rest.length === 0 ? undefined : { bytes: rest.length, sha256: hashOf(rest) },
        isOpen,
      };
    }
    end = begin - 1;
  }
  return { head: undefined, torn: undefined, isOpen };
}

async function readFully(handle: FileHandle, into: Buffer, from: number): Promise<void> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await handle.read(into, at, into.length - at, from + at);
    if (bytesRead === 0) throw new Error('the audit file became shorter while it was read');
    at += bytesRead;
  }
}

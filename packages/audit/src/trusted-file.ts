import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { codeOf } from '@temporal-kms/kms-codec/error-details';
import { type ChainHead, hashOf, linkOf } from './chain.ts';
import type { Torn } from './lines.ts';

/** Other users could write, replace or redirect the audit file. */
export class UntrustedPathError extends Error {
  override readonly name = 'UntrustedPathError';
}

/**
 * O_APPEND finds the end and writes in one step. O_RDWR, because the chain continues from the last line. O_NONBLOCK, so
 * that opening a FIFO fails instead of waiting for its reader.
 */
const FLAGS =
  constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOFOLLOW;

const GROUP_OR_OTHERS_WRITE = 0o022;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly info: Stats;
}

/**
 * Opens a file for appending that only this process's user and root can write, replace or redirect. Creates a file that
 * does not exist with mode 0600.
 * @throws UntrustedPathError when another user could change the file; Node's error, with its `code`
 */
export async function openTrusted(path: string): Promise<OpenedFile> {
  await checkFolders(resolve(path));
  const handle = await open(path, FLAGS, 0o600).catch((error: unknown) => {
    if (codeOf(error) === 'ELOOP') {
      throw new UntrustedPathError(`${path} is a symbolic link; name the file itself.`);
    }
    throw error;
  });
  try {
    const info = await handle.stat();
    checkFile(path, info);
    return { handle, info };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function checkFile(path: string, info: Stats): void {
  if (!info.isFile()) {
    refuse(path, 'is not a regular file', 'leave AUDIT_FILE out to write to standard output');
  }
  if (info.nlink === 0) refuse(path, 'was removed while it was opened', 'try again');
  checkOwner(path, info);
}

/** @throws UntrustedPathError when other users could write a file, or reach it by another name */
export function checkOwner(path: string, info: Stats): void {
  if (info.nlink > 1) refuse(path, 'has other names (hard links)', 'remove them, or name another file');
  const own = process.geteuid?.();
  if (own !== undefined && info.uid !== own) {
    refuse(path, `belongs to the user ${info.uid}, and this process runs as ${own}`, 'change its owner');
  }
  if (othersMayWrite(info)) {
    refuse(path, 'can be written by its group or by others', 'remove that right: chmod go-w');
  }
}

function refuse(path: string, what: string, then: string): never {
  throw new UntrustedPathError(`${path} ${what}; ${then}.`);
}

/** Returns whether the file's group or other users may write to it. */
export const othersMayWrite = ({ mode }: Pick<Stats, 'mode'>): boolean =>
  (mode & GROUP_OR_OTHERS_WRITE) !== 0;

/** Checks the folders of the path as it is written and of the path without symbolic links. */
async function checkFolders(path: string): Promise<void> {
  const named = dirname(path);
  const real = await realpath(named);
  for (const folder of new Set([named, real])) {
    for (const each of upTo(folder)) checkFolder(each, await lstat(each), each === real);
  }
}

function* upTo(folder: string): Generator<string> {
  let at: string = sep;
  yield at;
  for (const name of folder.split(sep).filter(Boolean)) yield (at = join(at, name));
}

function checkFolder(path: string, { mode, uid }: Stats, isParent: boolean): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own && uid !== 0) {
    throw new UntrustedPathError(
      `The folder ${path} belongs to the user ${uid}, who could replace the audit file; it must be root or ${own}.`,
    );
  }
  // Linux ignores the mode of a symbolic link.
  if ((mode & constants.S_IFMT) === constants.S_IFLNK || (mode & STICKY) !== 0) return;
  if ((mode & (isParent ? GROUP_OR_OTHERS_WRITE : OTHERS_WRITE)) === 0) return;
  throw new UntrustedPathError(
    `${isParent ? 'Its group or others' : 'Others'} can write in the folder ${path}, and replace the audit file: ` +
      'remove that right (chmod go-w), or name another folder.',
  );
}

/** Bytes at a file's end in which the last line of the chain is searched; a line has at most a quarter of them. */
const WINDOW = 1024 * 1024;

const LINE_FEED = 0x0a;

/** The end of an audit file. */
export interface FileEnd {
  /** The last line of the chain; absent if there is none near the end. */
  readonly head: ChainHead | undefined;
  /** What follows that line. */
  readonly torn: Torn | undefined;
  /** Whether the last line lacks its line feed. */
  readonly isOpen: boolean;
}

/**
 * Finds the last line of the chain in a file, and what a crash or a full disk left after it. A last line that lacks only
 * its line feed is complete.
 * @throws Node's error when the file cannot be read
 */
export async function readEnd(handle: FileHandle, size: number): Promise<FileEnd> {
  const window = Buffer.alloc(Math.min(size, WINDOW));
  const from = size - window.length;
  await readFully(handle, window, from);
  const isOpen = window.length > 0 && window.at(-1) !== LINE_FEED;
  const text = isOpen ? Buffer.concat([window, Buffer.of(LINE_FEED)]) : window;
  for (let end = text.length - 1; end >= 0;) {
    const begin = text.lastIndexOf(LINE_FEED, end - 1) + 1;
    // The first line in the window may have begun before it.
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

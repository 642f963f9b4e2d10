import { constants, lstatSync, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, statfs } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { othersMayWrite } from '@temporal-kms/node-utils/trusted-files';
import type { LogMethods } from '@temporal-kms/node-utils/log-entry';
import { chain, type ChainHead, NOTHING } from './chain.ts';
import { type FileLock, lockFile } from './file-lock.ts';
import type { AppendLines } from './line-queue.ts';
import { openedLine } from './lines.ts';
import { isSameFile, openToAppend, readEnd } from './file-end.ts';

/** If the last check of the file was at least this long ago, a write first checks the file again. */
const UNSEEN_MS = 1_000;
/** Maximum number of files that one write tries if the file at the path is replaced after each attempt. */
const MAX_FILES = 3;

export interface AuditFileOptions {
  /** Random id of this process. */
  readonly instance: string;
  readonly log: LogMethods;
  /** Whether lines count as written only when they are on the disk. */
  readonly fsync?: boolean;
  /** Id of the digest key, which a file's first line records. */
  readonly digestKey?: string | undefined;
  /** Returns the time of a monotonic clock in milliseconds. */
  readonly now?: () => number;
}

export interface AuditFile {
  /**
   * Chains lines and appends them in one write. Resolves once the lines are in the file at the path.
   * @throws UntrustedFileError, or Node's error, with its `code`
   */
  readonly append: AppendLines;
  /** Returns the last line that was written. */
  head(): ChainHead;
  /** Makes the next write check the path before it writes, in addition to the check after every write. */
  reopen(): void;
  close(): Promise<void>;
}

/** A file that this process writes to. */
interface Open {
  readonly handle: FileHandle;
  readonly info: Pick<Stats, 'dev' | 'ino'>;
  /** Whether a synchronous `lstat` of the path returns without waiting for a disk or a network. */
  readonly isLocal: boolean;
  /** The size in bytes that this process expects the file to have. */
  size: number;
  /** The head of the chain, which the file's next line will continue. */
  head: ChainHead;
  /**
   * This process's first line, which must be written before the next line. `lineFeed` is true if a line
   * feed must precede this first line, because the file's last line has none.
   */
  first: { readonly line: string; readonly lineFeed: boolean } | undefined;
}

/**
 * Opens a file for appending and writes this process's first line. Only one process can write to a file.
 * @throws UntrustedFileError, Error if another process writes to the file, or Node's error, with its `code`
 */
export async function openAuditFile(path: string, options: AuditFileOptions): Promise<AuditFile> {
  const file = new ChainedFile(path, options);
  try {
    await file.append([]);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}

class ChainedFile implements AuditFile {
  readonly #path: string;
  readonly #options: AuditFileOptions;
  readonly #now: () => number;
  #open: Open | undefined;
  /** The lock that this process holds until the audit is closed, even while no file exists at the path. */
  #lock: FileLock | undefined;
  /** The last line that this process wrote. */
  #head = NOTHING;
  /** The file that contains the last line that this process wrote, and the file's size after that line. */
  #own: { readonly info: Open['info']; readonly size: number } | undefined;
  #checked = Number.NEGATIVE_INFINITY;

  constructor(path: string, options: AuditFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  head(): ChainHead {
    return this.#head;
  }

  reopen(): void {
    this.#checked = Number.NEGATIVE_INFINITY;
  }

  readonly append: AppendLines = async (lines) => {
    if (this.#open !== undefined && this.#now() - this.#checked >= UNSEEN_MS)
      await this.#isCurrent(this.#open);
    for (let tries = 1; ; tries += 1) {
      const file = (this.#open ??= await this.#begin());
      if (await this.#write(file, lines)) return;
      if (tries === MAX_FILES) throw new Error('the audit file is replaced faster than it is written');
    }
  };

  async close(): Promise<void> {
    await this.#close();
    await this.#lock?.release();
    this.#lock = undefined;
  }

  /** Writes lines to the open file. Returns whether this file is still the one at the path. */
  async #write(file: Open, lines: readonly string[]): Promise<boolean> {
    const { instance, fsync } = this.#options;
    const { first } = file;
    const chained = chain(instance, file.head, first === undefined ? lines : [first.line, ...lines]);
    const bytes = first?.lineFeed ? Buffer.concat([LINE_FEED, chained.bytes]) : chained.bytes;
    let written: number;
    try {
      ({ bytesWritten: written } = await file.handle.write(bytes));
      if (fsync) await file.handle.datasync();
    } catch (error) {
      await this.#close();
      throw error;
    }
    if (written < bytes.length) {
      // The next write opens the file again and continues after the partial line.
      await this.#close();
      throw new Error(`only ${written} of ${bytes.length} bytes were written`);
    }
    file.first = undefined;
    file.size += written;
    file.head = chained.head;
    this.#head = chained.head;
    this.#own = { info: file.info, size: file.size };
    // Wait for one turn of the event loop, so that lines of other requests arrive and share the next write. Without
    // this wait, there were more writes, which took 7 % more CPU time.
    // Stryker disable next-line ConditionalExpression: affects only the speed.
    if (file.isLocal) await nextTurn();
    return await this.#isCurrent(file);
  }

  /**
   * Returns whether the file is still at the path, no other process has written to it, and other users cannot write
   * to it. Otherwise, closes the file.
   */
  async #isCurrent(file: Open): Promise<boolean> {
    const there = file.isLocal
      ? lstatSync(this.#path, { throwIfNoEntry: false })
      : await lstat(this.#path).catch(absent);
    this.#checked = this.#now();
    const isNamed = there !== undefined && isSameFile(there, file.info) && there.nlink === 1;
    // If other users can now write to the file, the next write opens the file again and fails with an
    // UntrustedFileError.
    const isExposed = isNamed && othersMayWrite(there);
    if (isNamed && !isExposed && there.size === file.size) return true;
    if (isNamed && there.size !== file.size) {
      this.#options.log.error(
        { file: this.#path, expected: file.size, found: there.size },
        'another process writes to the audit file or truncates it; give each process a separate file',
      );
    }
    await this.#close();
    return false;
  }

  async #close(): Promise<void> {
    const file = this.#open;
    this.#open = undefined;
    if (file === undefined) return;
    await file.handle.close();
  }

  /** Takes the lock, unless this process holds it. */
  async #takeLock(): Promise<void> {
    if (await this.#lock?.isHeld()) return;
    await this.#lock?.release();
    this.#lock = undefined;
    this.#lock = await lockFile(this.#path);
  }

  async #begin(): Promise<Open> {
    const { instance, fsync, digestKey } = this.#options;
    const { handle, info } = await openToAppend(this.#path);
    try {
      await this.#takeLock();
      // Get the size only now, because the lock's previous holder may have written to the file until it
      // released the lock.
      const { size } = await handle.stat();
      const { head, torn, isOpen } = await readEnd(handle, size);
      const isLocal = LOCAL_FILE_SYSTEMS.has((await statfs(this.#path)).type);
      if (fsync && size === 0) await syncFolder(dirname(this.#path));
      const own = this.#own;
      // Stryker disable next-line EqualityOperator: if the sizes are equal, this process's own line is the last line.
      const isThere = own !== undefined && isSameFile(own.info, info) && size >= own.size;
      const line = openedLine(instance, {
        file: basename(this.#path),
        at: isOpen ? size + 1 : size,
        torn,
        // If the file contains lines, the chain continues from the last of them. If this process's own last line is
        // then not in the file, the opening line records it as lost.
        lost:
          head !== undefined && own !== undefined && !isThere && this.#head.hash !== head.hash
            ? this.#head
            : undefined,
        digestKey,
      });
      return { handle, info, isLocal, size, head: head ?? this.#head, first: { line, lineFeed: isOpen } };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

const LINE_FEED = Buffer.of(0x0a);

/**
 * `f_type` of statfs(2) for ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS and ZFS. On these file systems,
 * the kernel answers `lstat` for an open file from memory in 2 to 3 µs. Through libuv's threads, the same
 * call takes 35 µs of CPU time. Network file systems and FUSE may wait for a server, which would block the
 * event loop.
 */
// Stryker disable next-line ArrayDeclaration: affects only the speed.
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1,
]);

/** Returns undefined if the error means that the file does not exist. @throws any other error */
function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
}

/** Syncs the folder to the disk, so that a new file's name survives a crash. */
async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY);
  await handle.sync();
}

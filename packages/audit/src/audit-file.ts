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
import { openToAppend, readEnd } from './file-end.ts';

/** After so long without a write, the file is checked before the next write too. */
const UNSEEN_MS = 1_000;
/** How often the lines of one write are written again because the path names another file. */
const MAX_FILES = 3;

export interface AuditFileOptions {
  /** Random id of this process. */
  readonly instance: string;
  readonly log: LogMethods;
  /** Whether lines count as written only when they are on the disk. */
  readonly fsync?: boolean;
  /** Id of the key for digests, for the first line of a file. */
  readonly digestKey?: string | undefined;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

export interface AuditFile {
  /**
   * Chains lines and appends them in one write. Resolves when the file that the path names has them.
   * @throws UntrustedFileError, or Node's error, with its `code`
   */
  readonly append: AppendLines;
  /** Returns the last line that was written. */
  head(): ChainHead;
  /** Checks the path before the next write. The file checks it after each write anyway. */
  reopen(): void;
  close(): Promise<void>;
}

/** A file that this process writes to. */
interface Open {
  readonly handle: FileHandle;
  readonly info: Pick<Stats, 'dev' | 'ino'>;
  /** Whether a synchronous `lstat` of its path never waits for a disk or a network. */
  readonly isLocal: boolean;
  /** Bytes that this process expects in the file. */
  size: number;
  /** The file's last line. */
  head: ChainHead;
  /** What to write before the next line: this process's first line, and a line feed if the file's last line lacks it. */
  first: { readonly line: string; readonly lineFeed: boolean } | undefined;
}

/**
 * Opens a file for appending and writes this process's first line. Two processes cannot write to one file.
 * @throws UntrustedFileError, Error when another process writes to it, or Node's error, with its `code`
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
  /** Held until the audit is closed, also while the path names no file. */
  #lock: FileLock | undefined;
  /** The last line that this process wrote, and the file that has it. */
  #own: { readonly head: ChainHead; readonly info: Open['info']; readonly size: number } | undefined;
  #checked = Number.NEGATIVE_INFINITY;

  constructor(path: string, options: AuditFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  head(): ChainHead {
    return this.#own?.head ?? NOTHING;
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

  /** Writes lines to the open file. Returns whether the path still names that file, so that the lines are in it. */
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
      // The next write opens the file again and continues after what this write left.
      await this.#close();
      throw new Error(`only ${written} of ${bytes.length} bytes were written`);
    }
    file.first = undefined;
    file.size += written;
    file.head = chained.head;
    this.#own = { head: chained.head, info: file.info, size: file.size };
    // Lines of other requests arrive in this turn and share the next write. Without it there were so many more writes
    // that the server took 7 % more CPU time.
    if (file.isLocal) await nextTurn();
    return await this.#isCurrent(file);
  }

  /** Returns whether the path names the file and no other process has written to it; otherwise closes the file. */
  async #isCurrent(file: Open): Promise<boolean> {
    const there = file.isLocal ? infoOf(this.#path) : await lstat(this.#path).catch(absent);
    this.#checked = this.#now();
    const isNamed =
      there !== undefined && there.ino === file.info.ino && there.dev === file.info.dev && there.nlink === 1;
    // If others may write to the file by now, opening it again reports what is wrong.
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
      // Another process may have written until it released the lock.
      const { size } = await handle.stat();
      const { head, torn, isOpen } = await readEnd(handle, size);
      const isLocal = LOCAL_FILE_SYSTEMS.has((await statfs(this.#path)).type);
      if (fsync && size === 0) await syncFolder(dirname(this.#path));
      const own = this.#own;
      const isThere = own !== undefined && isSame(own.info, info) && size >= own.size;
      const line = openedLine(instance, {
        file: basename(this.#path),
        at: isOpen ? size + 1 : size,
        torn,
        // In a file that has lines, the first line follows them, whatever this process wrote elsewhere.
        lost:
          head !== undefined && own !== undefined && !isThere && own.head.hash !== head.hash
            ? own.head
            : undefined,
        digestKey,
      });
      return {
        handle,
        info,
        isLocal,
        size,
        head: head ?? own?.head ?? NOTHING,
        first: { line, lineFeed: isOpen },
      };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

const LINE_FEED = Buffer.of(0x0a);

/**
 * `f_type` of statfs(2) for ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS and ZFS. The kernel answers `lstat` for a
 * file that is open there from memory, in 2 to 3 µs; through libuv's threads the same call takes 35 µs of CPU time.
 * Network file systems and FUSE may ask a server that does not answer, which must not stop the event loop.
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1,
]);

function infoOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return absent(error);
  }
}

/** @throws the error, unless it means that the file does not exist */
function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
}

const isSame = (a: Open['info'], b: Open['info']): boolean => a.ino === b.ino && a.dev === b.dev;

/** Writes the folder to the disk, which contains the name of a new file. */
async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY);
  await handle.sync();
}

import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Append } from './line-queue.ts';

/** How soon a file that was renamed or removed is noticed. */
const FOLLOW_MS = 1_000;

/**
 * Appending, so that several processes may share the file; a pipe that is full is an error, not a wait for its
 * reader.
 */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

export interface AuditFile {
  /**
   * Appends text in one write. After a write that ended in the middle, the next begins on a line of its own.
   * @throws Node's error, with its `code`
   */
  readonly append: Append;
  /** The next write opens the path anew: it was rotated. Noticed without this too, within a second. */
  reopen(): void;
  close(): Promise<void>;
}

/**
 * Opens a file for appending and makes it where there is none, for its owner alone (0600).
 * @throws Node's error, with its `code`
 */
export async function openAuditFile(path: string, now: () => number = Date.now): Promise<AuditFile> {
  let file = await openAppending(path);
  let checked = now();

  const follow = async (): Promise<void> => {
    if (now() - checked < FOLLOW_MS) return;
    const [there, ours] = await Promise.all([stat(path).catch(() => undefined), file.handle.stat()]);
    if (there?.ino !== ours.ino || there.dev !== ours.dev) {
      const next = await openAppending(path);
      await file.handle.close();
      file = next;
    }
    checked = now();
  };

  return {
    append: async (text) => {
      await follow();
      const bytes = Buffer.from(file.torn ? `\n${text}` : text);
      const { bytesWritten } = await file.handle.write(bytes);
      file.torn = bytesWritten < bytes.length && (file.torn || bytesWritten > 0);
      if (bytesWritten < bytes.length)
        throw new Error(`only ${bytesWritten} of ${bytes.length} bytes written`);
    },
    reopen: () => (checked = Number.NEGATIVE_INFINITY),
    close: () => file.handle.close(),
  };
}

async function openAppending(path: string): Promise<{ readonly handle: FileHandle; torn: boolean }> {
  const handle = await open(path, FLAGS, 0o600);
  const info = await handle.stat();
  return { handle, torn: info.isFile() && info.size > 0 && !(await endsWithLine(path, info.size)) };
}

/** A process that was killed may have left half a line. A file that may not be read counts as one that has. */
async function endsWithLine(path: string, size: number): Promise<boolean> {
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: size - 1 });
    return buffer[0] === 0x0a;
  } catch {
    return false;
  }
}

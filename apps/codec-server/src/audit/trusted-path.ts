import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';

/** Why the audit is not written where it was asked for. */
class UntrustedPathError extends Error {
  override readonly name = 'UntrustedPathError';
}

/**
 * Appending is one operation with finding the end. Reading, to go on from the last line. Not blocking, so that a FIFO is
 * refused instead of waited for.
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
 * Opens a file for appending that only this process's user and root can write, replace or redirect; creates it with
 * mode 0600 where there is none.
 * @throws UntrustedPathError where another user could; Node's error, with its `code`
 */
export async function openTrusted(path: string): Promise<OpenedFile> {
  await checkFolders(resolve(path));
  const handle = await open(path, FLAGS, 0o600).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') {
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
  const refuse = (what: string, then: string): never => {
    throw new UntrustedPathError(`${path} ${what}; ${then}.`);
  };
  if (!info.isFile()) refuse('is not a regular file', 'leave AUDIT_FILE out to write to standard output');
  if (info.nlink === 0) refuse('was removed while it was opened', 'try again');
  if (info.nlink > 1) refuse('has other names (hard links)', 'remove them, or name another file');
  const own = process.geteuid?.();
  if (own !== undefined && info.uid !== own) {
    refuse(`belongs to the user ${info.uid}, and this process runs as ${own}`, 'change its owner');
  }
  if (othersMayWrite(info)) {
    refuse('can be written by its group or by others', 'remove that right: chmod go-w');
  }
}

export const othersMayWrite = ({ mode }: Pick<Stats, 'mode'>): boolean =>
  (mode & GROUP_OR_OTHERS_WRITE) !== 0;

/** Both as the path is written and as it leads through symbolic links. */
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
  for (const part of folder.split(sep).filter((one) => one !== '')) yield (at = join(at, part));
}

function checkFolder(path: string, { mode, uid }: Stats, isParent: boolean): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own && uid !== 0) {
    throw new UntrustedPathError(
      `The folder ${path} belongs to the user ${uid}, who could replace the audit file; it must be root or ${own}.`,
    );
  }
  // The rights of a symbolic link mean nothing.
  if ((mode & constants.S_IFMT) === constants.S_IFLNK || (mode & STICKY) !== 0) return;
  if ((mode & (isParent ? GROUP_OR_OTHERS_WRITE : OTHERS_WRITE)) === 0) return;
  throw new UntrustedPathError(
    `${isParent ? 'Its group or others' : 'Others'} can write in the folder ${path}, and replace the audit file: ` +
      'remove that right (chmod go-w), or name another folder.',
  );
}

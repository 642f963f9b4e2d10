import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from 'node:path';

/*
 * Opens files that only the process's user and root can write, replace or redirect. The rules:
 *
 * - The file is a regular file. It belongs to the process's user or to root, and its group and other users
 *   cannot write to it.
 * - The file's folder belongs to the process's user or to root, and its group and other users cannot write to
 *   it.
 * - Each folder above it belongs to the process's user or to root, and other users cannot write to it. Its
 *   group may write to it, as in Ubuntu's /var/log. If a member of the group replaces a folder there, the new
 *   folder belongs to that member and is therefore refused.
 * - A folder with the sticky bit, or on a file system that is mounted read-only, may be writable by everyone,
 *   because users cannot replace each other's files there. (kubelet creates a ConfigMap's volume with mode
 *   0777, and mounts it read-only in the container.)
 * - The file is not a symbolic link, except for the links in a Kubernetes volume (`NAME` → `..data/NAME`,
 *   `..data` → `..TIMESTAMP`). Links to folders are followed if they belong to the process's user or to root.
 *
 * The file's owner and mode are checked on the open file descriptor. On Windows, owners and modes are not
 * checked.
 */

/** Thrown if other users could write to, replace or redirect a file. */
export class UntrustedFileError extends Error {
  override readonly name = 'UntrustedFileError';
  readonly code = 'untrusted';
}

/**
 * O_NONBLOCK is necessary so that opening a FIFO does not wait for its other end. Windows has neither
 * O_NOFOLLOW nor O_NONBLOCK, which therefore count as 0.
 */
const SAFELY = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const GROUP_OR_OTHERS_WRITE = 0o022;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/** Maximum number of symbolic links in a path, as in Linux. */
const MAX_LINKS = 40;

/**
 * Maximum number of attempts to open a file. Several attempts may be necessary, because kubelet can replace
 * the folder behind `..data` and remove the old folder at any time.
 */
const MAX_TRIES = 3;

type Owned = Pick<Stats, 'uid' | 'mode'>;

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly info: Stats;
}

/**
 * Returns a trusted file's content. Reads the file twice, because the resolution of mtime is too low to
 * detect every write.
 * @throws UntrustedFileError; Error if the file is too large or changes during the read; Node's error, with
 *   its `code`
 */
export function readTrustedFile(path: string, maxBytes: number): Buffer {
  const descriptor = openToRead(path);
  try {
    const before = fstatSync(descriptor, { bigint: true });
    checkTrusted(path, fstatSync(descriptor));
    if (before.size > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
    const bytes = readFrom(descriptor, Number(before.size));
    const again = readFrom(descriptor, Number(before.size));
    const after = fstatSync(descriptor, { bigint: true });
    if (fileIdentity.every((field) => before[field] === after[field]) && bytes.equals(again)) return bytes;
    throw new Error(`${path} changed while it was read: write a new file and rename it to this name`);
  } finally {
    closeSync(descriptor);
  }
}

const fileIdentity = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;

function readFrom(descriptor: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, size, 0));
}

function openToRead(path: string): number {
  for (let tries = 1; ; tries += 1) {
    try {
      const file = inKubernetesVolume(resolve(path)) ?? resolve(path);
      const steps = walk(dirname(file));
      let step = steps.next();
      while (!step.done) step = steps.next(lstatSync(step.value));
      return openSync(join(step.value, basename(file)), constants.O_RDONLY | SAFELY);
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && tries < MAX_TRIES) continue;
      throw asLink(path, error);
    }
  }
}

/**
 * If a path is a link in a Kubernetes volume, returns the file to which the link leads; otherwise undefined.
 */
function inKubernetesVolume(path: string): string | undefined {
  const info = lstatSync(path);
  if (!info.isSymbolicLink()) return undefined;
  const target = `..data${sep}${basename(path)}`;
  if (readlinkSync(path) !== target) return undefined;
  checkOwner(path, info);
  return join(dirname(path), target);
}

/**
 * Opens a trusted file, or creates it with mode 0600 if the flags include O_CREAT.
 * @param flags the flags for open(2)
 * @throws UntrustedFileError; Node's error, with its `code`
 */
export async function openTrustedFile(path: string, flags: number): Promise<OpenedFile> {
  const folder = await checkFolder(dirname(resolve(path)));
  const handle = await open(join(folder, basename(path)), flags | SAFELY, 0o600).catch((error: unknown) => {
    throw asLink(path, error);
  });
  try {
    const info = await handle.stat();
    checkTrusted(path, info);
    return { handle, info };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Checks a folder in which this process keeps files, and the folders above it.
 * @throws UntrustedFileError if other users could write to or replace the folder, if it is a symbolic link,
 *   or if it is not a folder; Node's error, with its `code`
 */
export async function checkTrustedFolder(path: string): Promise<void> {
  const info = await lstat(path);
  if (!info.isDirectory()) refuse(path, 'is not a folder, or is a symbolic link', 'name a folder');
  await checkFolder(resolve(path));
}

/** Checks a folder and the folders above it, and returns the folder's path without symbolic links. */
async function checkFolder(folder: string): Promise<string> {
  const steps = walk(folder);
  let step = steps.next();
  while (!step.done) step = steps.next(await lstat(step.value));
  return step.value;
}

/**
 * Checks every folder and link through which the kernel reaches a folder. Yields each path for which this
 * generator needs the result of `lstat`, and returns the folder's path without symbolic links.
 */
function* walk(folder: string): Generator<string, string, Stats> {
  const { root } = parse(folder);
  let at = root;
  let info = yield at;
  checkAbove(at, info);
  const names = namesOf(folder.slice(root.length));
  for (let links = 0, name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name);
    const found = yield next;
    if (found.isSymbolicLink()) {
      checkOwner(next, found);
      if ((links += 1) > MAX_LINKS)
        refuse(next, 'is one of too many symbolic links', 'name the folder itself');
      const target = readlinkSync(next);
      if (isAbsolute(target)) info = yield (at = root);
      names.unshift(...namesOf(target));
    } else {
      checkAbove(next, found);
      at = next;
      info = found;
    }
  }
  if (mayWrite(info, GROUP_OR_OTHERS_WRITE) && !isKept(at, info))
    refuse(
      at,
      'is a folder to which its group or other users can write',
      'run chmod go-w, or name another folder',
    );
  return at;
}

const namesOf = (path: string): string[] => path.split(sep).filter((name) => name !== '' && name !== '.');

function checkAbove(path: string, info: Stats): void {
  checkOwner(path, info);
  if (mayWrite(info, OTHERS_WRITE) && !isKept(path, info))
    refuse(path, 'is a folder to which other users can write', 'run chmod o-w, or name another folder');
}

/**
 * Returns whether a folder prevents users from replacing each other's files, even if all users may write to
 * it.
 */
const isKept = (path: string, { mode }: Stats): boolean => (mode & STICKY) !== 0 || isReadOnly(path);

/** Checks an open file. @throws UntrustedFileError if other users could write to the file */
export function checkTrusted(path: string, info: Stats): void {
  if (!info.isFile()) refuse(path, 'is not a regular file', 'name a regular file');
  if (info.nlink === 0) refuse(path, 'was removed while this process opened it', 'try again');
  checkOwner(path, info);
  if (othersMayWrite(info)) refuse(path, 'can be written by its group or by others', 'run chmod go-w');
}

/**
 * Returns whether the folder's file system is mounted read-only for this process. This check also works for
 * root.
 */
function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === 'EROFS';
  }
}

function checkOwner(path: string, { uid }: Owned): void {
  const own = process.geteuid?.();
  if (own === undefined || uid === own || uid === 0) return;
  refuse(
    path,
    `belongs to the user ${uid}, but this process runs as the user ${own}`,
    `run chown root, or chown ${own}`,
  );
}

/** Returns whether the file's group or other users may write to it. */
export const othersMayWrite = (info: Pick<Stats, 'mode'>): boolean => mayWrite(info, GROUP_OR_OTHERS_WRITE);

const mayWrite = ({ mode }: Pick<Stats, 'mode'>, users: number): boolean =>
  process.geteuid !== undefined && (mode & users) !== 0;

function refuse(path: string, what: string, then: string): never {
  throw new UntrustedFileError(`${path} ${what}: ${then}`);
}

function asLink(path: string, error: unknown): unknown {
  return codeOf(error) === 'ELOOP'
    ? new UntrustedFileError(`${path} is a symbolic link: name the file itself`, { cause: error })
    : error;
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

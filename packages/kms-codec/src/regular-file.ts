import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const identity = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;

/**
 * Returns the content of a regular file. Reads it twice, because the resolution of mtime is too coarse for every write.
 * @throws Error when the file does not exist, is not regular, is writable by others or too large, or changes meanwhile
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  // With O_NONBLOCK, opening a FIFO does not wait for its writer.
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = fstatSync(handle, { bigint: true });
    if (!before.isFile()) throw new Error(`${path} is not a regular file`);
    if (isWritableByOthers(before.mode)) {
      throw new Error(`${path} can be written by its group or by everybody: run chmod go-w`);
    }
    if (before.size > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
    const bytes = readFrom(handle, Number(before.size));
    const again = readFrom(handle, Number(before.size));
    const after = fstatSync(handle, { bigint: true });
    if (identity.every((field) => before[field] === after[field]) && bytes.equals(again)) return bytes;
    throw new Error(`${path} changed while it was read: write a new file and rename it to this name`);
  } finally {
    closeSync(handle);
  }
}

/** Other users must not write a file that grants permissions. Windows has no such mode bits. */
const isWritableByOthers = (mode: bigint): boolean => process.platform !== 'win32' && (mode & 0o022n) !== 0n;

function readFrom(handle: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  return bytes.subarray(0, readSync(handle, bytes, 0, size, 0));
}

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { parseEntryLine } from '@temporal-kms/audit';
import type { AuditEntry, AuditPage } from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { type AuditFilter, entryFilter } from './audit-filter.ts';

export interface AuditQuery extends AuditFilter {
  /** The value of `next` in the previous page. */
  readonly after: string | undefined;
  readonly limit: number;
}

/**
 * How many bytes of the file are searched for one page. If these bytes contain few matching entries, the page
 * is short or empty.
 */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Resolves to one page of matching entries, newest first.
 * @throws HttpError `bad_request` if `after` is not a position in this file; Node's error if the file cannot
 *   be read
 */
export async function readAudit(
  path: string,
  { after, limit, ...query }: AuditQuery,
  maxBytes = MAX_BYTES,
): Promise<AuditPage> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const { ino, size } = await handle.stat();
  const end = after === undefined ? size : await positionOf(handle, after, ino, size);
  const filter = entryFilter(query);
  const entries: AuditEntry[] = [];
  // The file may contain a line twice if the file was replaced while the line was being written.
  const seen = new Set<string>();
  let skipped = 0;
  for await (const { start, text } of linesBackwards(handle, end)) {
    if (text === undefined || !looksLikeEntry(text)) skipped += text === '' ? 0 : 1;
    else if (filter.isBefore(text)) break;
    else if (filter.mayMatch(text)) {
      const entry = parseEntryLine(text);
      if (entry === undefined) skipped += 1;
      else if (filter.matches(entry)) {
        const id = `${entry.id} ${entry.event} ${entry.part}`;
        if (!seen.has(id)) entries.push(entry);
        seen.add(id);
      }
    }
    if (start > 0 && (entries.length >= limit || end - start >= maxBytes)) {
      return { entries, skipped, next: cursor(ino, start) };
    }
  }
  return { entries, skipped };
}

const looksLikeEntry = (text: string): boolean => text.startsWith('{"severity":"') && text.endsWith('}}');

const cursor = (ino: number, position: number): string =>
  Buffer.from(`${ino}:${position}`).toString('base64url');

/**
 * Returns the position in the file that a cursor contains. Rejects a position that is not the start of a
 * line, so that part of a line is not read as a line.
 */
async function positionOf(handle: FileHandle, after: string, ino: number, size: number): Promise<number> {
  const found = /^(\d{1,20}):(\d{1,15})$/.exec(Buffer.from(after, 'base64url').toString('latin1'));
  const position = Number(found?.[2]);
  if (found === null || position < 1 || position > size) throw badRequest(NOT_OURS);
  if (found[1] !== String(ino)) {
    throw badRequest(
      'The audit file was rotated, or another replica responded; start again without the parameter "after".',
    );
  }
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: position - 1 });
  if (buffer[0] !== LINE_FEED) throw badRequest(NOT_OURS);
  return position;
}

const NOT_OURS = 'The parameter "after" must be the value of "next" in a page that this server returned.';

const CHUNK = 64 * 1024;
/** Maximum length of a line in bytes. Longer lines are not entries, and are not kept in memory. */
const MAX_LINE = 256 * 1024;

const LINE_FEED = 0x0a;

interface FileLine {
  /** Byte at which the line begins. */
  readonly start: number;
  /** The line without its line feed; undefined if the line is too long. */
  readonly text: string | undefined;
}

/**
 * Yields the complete lines of a file before byte `end`, last line first. Reads the file in chunks, on
 * demand. Bytes after the last line feed are not a complete line.
 * @param end the start of a line, or the end of the file
 */
async function* linesBackwards(handle: FileHandle, end: number): AsyncGenerator<FileLine, void> {
  let position = end;
  /** The end of the line whose start has not been read yet. */
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  /** Whether `rest` is followed by a line feed. */
  let isComplete = false;
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
      if (isComplete) {
        yield { start, text: isTooLong || line.length > MAX_LINE ? undefined : line.toString('utf8') };
      }
      [isComplete, isTooLong, rest, upTo] = [true, false, Buffer.alloc(0), at];
    }
    rest = Buffer.concat([buffer.subarray(0, upTo), rest]);
    if (rest.length > MAX_LINE) [isTooLong, rest] = [true, Buffer.alloc(0)];
    position -= length;
  }
  if (isComplete) yield { start: 0, text: isTooLong ? undefined : rest.toString('utf8') };
}

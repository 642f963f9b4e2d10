import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { AuditEntry, AuditPage } from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { linesBackwards } from './lines-backwards.ts';
import { parseLogLine, unforgeable } from './log-line.ts';

export interface AuditQuestion {
  readonly namespace: string;
  readonly workflowId: string | undefined;
  /** `next` of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** Bytes that one page looks through; where the namespace has little in them, the page is short, or empty. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * One page of a namespace's entries, the newest first.
 * @throws HttpError `bad_request` for a position that this file hasn't; Node's error when the file can't be read
 */
export async function readAudit(
  path: string,
  { namespace, workflowId, after, limit }: AuditQuestion,
  maxBytes = MAX_BYTES,
): Promise<AuditPage> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const { ino, size } = await handle.stat();
  const end = after === undefined ? size : await positionOf(handle, after, ino, size);
  // Most lines are of others: looking for the words costs a fiftieth of parsing.
  const words = [namespace, ...(workflowId === undefined ? [] : [workflowId])].map((word) =>
    unforgeable(word),
  );
  const entries: AuditEntry[] = [];
  // A line stands twice where its file was being replaced when it was written.
  const seen = new Set<string>();
  let skipped = 0;
  for await (const { start, text } of linesBackwards(handle, end)) {
    if (text === undefined || !looksOwn(text)) skipped += text === '' ? 0 : 1;
    else if (words.every((word) => text.includes(word))) {
      const entry = parseLogLine(text);
      if (entry === undefined) skipped += 1;
      else if (entry.namespace === namespace && (workflowId ?? entry.workflowId) === entry.workflowId) {
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

const looksOwn = (text: string): boolean => text.startsWith('{"severity":"') && text.endsWith('}}');

const cursor = (ino: number, position: number): string =>
  Buffer.from(`${ino}:${position}`).toString('base64url');

/** A position is where a line begins, so no text of a line can be read as another line. */
async function positionOf(handle: FileHandle, after: string, ino: number, size: number): Promise<number> {
  const found = /^(\d{1,20}):(\d{1,15})$/.exec(Buffer.from(after, 'base64url').toString('latin1'));
  const position = Number(found?.[2]);
  if (found === null || position < 1 || position > size)
    throw badRequest('after is not one that this server gave.');
  if (found[1] !== String(ino)) {
    throw badRequest(
      'The audit file was rotated since, or another replica answers; begin again without after.',
    );
  }
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: position - 1 });
  if (buffer[0] !== 0x0a) throw badRequest('after is not one that this server gave.');
  return position;
}

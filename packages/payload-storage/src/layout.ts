import type { StorageType } from './reference.ts';

/*
 * Temporal's layout of stored payloads, which the drivers of all SDKs share:
 *
 *   v0/ns/NAMESPACE/wt/TYPE/wi/ID/ri/RUN/d/sha256/HASH   for a workflow (at/ai for a standalone activity)
 *   v0/ns/NAMESPACE/d/sha256/HASH                        if that name is longer than the store allows
 *   v0/d/sha256/HASH                                     without a target; belongs to no namespace
 */

export interface StorageTarget {
  readonly kind: 'workflow' | 'activity';
  readonly namespace: string;
  readonly type?: string;
  readonly id?: string;
  readonly runId?: string;
}

/**
 * The characters that Temporal's drivers for Cloud Storage escape. The names in a directory have the same
 * layout.
 */
// oxlint-disable-next-line no-control-regex -- Cloud Storage advises against control characters.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f#[\]*?:"<>|/%]/g;

const escapeByte = (byte: number) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
const escapeText = (text: string) => [...Buffer.from(text)].map(escapeByte).join('');

const escapes: Readonly<Record<StorageType, (value: string) => string>> = {
  s3: (value) => encodeURIComponent(value).replaceAll('~', '%7E'),
  gcs: escapeSegment,
  directory: escapeSegment,
};

function escapeSegment(value: string): string {
  const escaped = value.replaceAll(UNSAFE, escapeText);
  return escaped === '.' || escaped === '..' ? escapeText(escaped) : escaped;
}

const segment = (type: StorageType, value: string | undefined) =>
  value === undefined || value === '' ? 'null' : escapes[type](value);

/** Returns the prefix of all objects of a namespace. */
export const namespacePrefix = (type: StorageType, namespace: string): string =>
  `v0/ns/${segment(type, namespace)}/`;

/** Returns the name of a payload's object in a directory. */
export function objectName(target: StorageTarget | undefined, sha256: string): string {
  const hash = `d/sha256/${sha256}`;
  if (target === undefined) return `v0/${hash}`;
  const prefix = namespacePrefix('directory', target.namespace);
  const [first, second] = target.kind === 'workflow' ? ['wt', 'wi'] : ['at', 'ai'];
  const [type, id, run] = [target.type, target.id, target.runId].map((value) => segment('directory', value));
  const name = `${prefix}${first}/${type}/${second}/${id}/ri/${run}/${hash}`;
  return isName(name) ? name : `${prefix}${hash}`;
}

const MAX_NAME_BYTES = 1024;
/** Maximum length of a file name in the file systems of Linux and macOS. */
const MAX_SEGMENT_BYTES = 255;

const isName = (name: string) =>
  Buffer.byteLength(name) <= MAX_NAME_BYTES &&
  name.split('/').every((part) => Buffer.byteLength(part) <= MAX_SEGMENT_BYTES);

/**
 * Returns whether all stores and clients interpret a name in the same way. The name is an object's name, or a
 * prefix without its last `/`. Such a name has no segment that is empty, `.` or `..`, and contains no
 * backslash, control character or half of a surrogate pair.
 */
export const isPlainName = (name: string): boolean =>
  name.isWellFormed() &&
  !/[\\\p{Cc}]/u.test(name) &&
  name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

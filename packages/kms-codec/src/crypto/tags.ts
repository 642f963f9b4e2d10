import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KEY_ID_BYTES, TAG_BYTES } from '../formats/envelope-v2-header.ts';

/**
 * What binds a message to its key, namespace and workflow: truncated SHA-256 tags (docs/wire-formats.md). They are
 * unsalted, since Temporal sees namespace and workflow id anyway: they bind, they hide nothing.
 */
const remember = <K extends {}>(compute: (key: K) => Uint8Array) => {
  const cache = new LRUCache<K, Uint8Array>({ max: 4096, memoMethod: compute });
  return (key: K): Uint8Array => cache.memo(key);
};

const sha256 = (bytes: number, ...parts: string[]) =>
  new Uint8Array(createHash('sha256').update(parts.join('\0')).digest().subarray(0, bytes));

/** The 8 bytes that stand for a crypto key's resource name in a header. */
export const keyId = remember((cryptoKey: string) => sha256(KEY_ID_BYTES, cryptoKey));

export const namespaceTag = remember((namespace: string) =>
  sha256(TAG_BYTES, 'temporal-kms/v2/namespace', namespace),
);

const workflowTags = remember((joined: string) => sha256(TAG_BYTES, 'temporal-kms/v2/workflow', joined));

/** @param workflowId is made canonical first, see {@link canonicalWorkflowId}. */
export const workflowTag = (namespace: string, workflowId: string): Uint8Array =>
  workflowTags(`${namespace}\0${canonicalWorkflowId(workflowId)}`);

/**
 * A scheduled run's id ends in the time at which it was due, but its input was encoded under the id that the schedule
 * names: that suffix is dropped on both sides.
 */
export const canonicalWorkflowId = (workflowId: string): string =>
  workflowId.replace(/-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '');

const dekPrefix = Buffer.from('temporal-kms/v2/dek\0');

/** The additional authenticated data under which Cloud KMS wraps a namespace's data keys. */
export const dataKeyAad = remember(
  (namespace: string) => new Uint8Array(Buffer.concat([dekPrefix, namespaceTag(namespace)])),
);

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

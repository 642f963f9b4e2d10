import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KEY_ID_BYTES, TAG_BYTES } from '../formats/envelope-v2-header.ts';

/**
 * Truncated SHA-256 tags bind a message to its crypto key, namespace and workflow (docs/wire-formats.md). They have no salt:
 * they hide nothing, since Temporal knows the namespace and the workflow id.
 */
const remember = <K extends {}>(compute: (key: K) => Uint8Array) => {
  const cache = new LRUCache<K, Uint8Array>({ max: 4096, memoMethod: compute });
  return (key: K): Uint8Array => cache.memo(key);
};

const sha256 = (bytes: number, ...parts: string[]) =>
  new Uint8Array(createHash('sha256').update(parts.join('\0')).digest().subarray(0, bytes));

/** Returns the 8 bytes that identify a crypto key in a header. */
export const keyId = remember((cryptoKey: string) => sha256(KEY_ID_BYTES, cryptoKey));

export const namespaceTag = remember((namespace: string) =>
  sha256(TAG_BYTES, 'temporal-kms/v2/namespace', namespace),
);

const workflowTags = remember((joined: string) => sha256(TAG_BYTES, 'temporal-kms/v2/workflow', joined));

/** Returns the tag of a workflow, whose id is normalized first, see {@link canonicalWorkflowId}. */
export const workflowTag = (namespace: string, workflowId: string): Uint8Array =>
  workflowTags(`${namespace}\0${canonicalWorkflowId(workflowId)}`);

/**
 * Returns a workflow id without the time that ends the id of a scheduled run. The schedule's input was encoded under the id
 * without it.
 */
export const canonicalWorkflowId = (workflowId: string): string =>
  workflowId.replace(/-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '');

const labelled = (label: string) =>
  remember(
    (namespace: string) =>
      new Uint8Array(Buffer.concat([Buffer.from(`${label}\0`), namespaceTag(namespace)])),
  );

/** Returns the additional authenticated data under which Cloud KMS wraps a namespace's branch keys. */
export const branchKeyAad = labelled('temporal-kms/v2/branch-key');

/** Returns the info with which a namespace's data keys are derived from its branch keys. */
export const dataKeyInfo = labelled('temporal-kms/v2/data-key');

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

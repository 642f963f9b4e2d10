import { namespaceTag, scheduledWorkflowId, workflowTag } from '../crypto/tags.ts';
import { wrappedKeyHash } from '../crypto/wrapped-key.ts';
import { parseHeader } from './envelope-v2-header.ts';

/**
 * The content of an `envelope-v2` message's header. These values are unverified claims until the message has
 * been decrypted.
 */
export interface MessageHeader {
  /** Whether the plaintext is a zstd frame. */
  readonly compressed: boolean;
  /** Identifies the crypto key: 16 hexadecimal digits, which `cryptoKeyId` computes from the key's name. */
  readonly keyId: string;
  readonly keyVersion: number;
  /** Identifies the namespace: 32 hexadecimal digits (see {@link headerTags}). */
  readonly namespaceTag: string;
  /** Identifies the workflow: 32 hexadecimal digits. Absent if the message is not bound to a workflow. */
  readonly workflowTag?: string;
  /**
   * SHA-256 of the wrapped branch key: 64 hexadecimal digits. The keys file's deny-list contains such hashes.
   */
  readonly wrappedKeyHash: string;
  /** Length of the header in bytes. The nonce, ciphertext and authentication tag follow. */
  readonly bytes: number;
}

/**
 * Returns the content of an `envelope-v2` message's header. Needs no configuration and does not decrypt the
 * message.
 *
 * @param data the `data` of a payload with the encoding `binary/envelope-kms-v2`
 * @throws KmsCodecError `malformed` (truncated, or a length out of range), `unsupported_version` (an unknown version or
 *   flag)
 *
 * @example
 * ```ts
 * const header = messageHeader(payload.data ?? new Uint8Array());
 * const isOurs = header.namespaceTag === headerTags.namespace('payments-prod');
 * ```
 */
export function messageHeader(data: Uint8Array): MessageHeader {
  const { header, length } = parseHeader(data);
  return {
    compressed: header.compressed,
    keyId: hex(header.keyId),
    keyVersion: header.keyVersion,
    namespaceTag: hex(header.namespaceTag),
    ...(header.workflowTag && { workflowTag: hex(header.workflowTag) }),
    wrappedKeyHash: wrappedKeyHash(header.wrappedKey),
    bytes: length,
  };
}

/**
 * Functions that return the tags of a namespace and a workflow in a header, in hexadecimal digits. `workflow`
 * returns the tag of exactly the given workflow id. `workflows` returns the tags that a bound message can have
 * if the workflow may read it: the tag of the workflow's id and, if a schedule started the workflow, the tag
 * of the workflow id in the schedule's action. For other workflows, both tags are the same.
 */
export const headerTags = {
  namespace: (namespace: string): string => hex(namespaceTag(namespace)),
  workflow: (namespace: string, workflowId: string): string => hex(workflowTag(namespace, workflowId)),
  workflows: (namespace: string, workflowId: string): readonly string[] =>
    [workflowId, scheduledWorkflowId(workflowId)].map((id) => headerTags.workflow(namespace, id)),
} as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

import { namespaceTag, scheduledWorkflowId, workflowTag } from '../crypto/tags.ts';
import { wrappedKeyHash } from '../crypto/wrapped-key.ts';
import { parseHeader } from './envelope-v2-header.ts';

/** What the header of an `envelope-v2` message contains: claims until the message has been decrypted. */
export interface MessageHeader {
  /** Whether the plaintext is a zstd frame. */
  readonly compressed: boolean;
  /** Identifies the crypto key: 16 hexadecimal digits. `cryptoKeyId` returns the id of a name. */
  readonly keyId: string;
  readonly keyVersion: number;
  /** Identifies the namespace: 32 hexadecimal digits, see {@link headerTags}. */
  readonly namespaceTag: string;
  /** Identifies the workflow: 32 hexadecimal digits. Absent: the message is not bound to a workflow. */
  readonly workflowTag?: string;
  /** SHA-256 of the wrapped branch key, in 64 hexadecimal digits: the keys file denies the key by it. */
  readonly wrappedKeyHash: string;
  /** Bytes of the header. Nonce, ciphertext and authentication tag follow it. */
  readonly bytes: number;
}

/**
 * Returns what the header of an `envelope-v2` message contains, without a configuration and without decrypting the
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
 * Returns the tags with which a header names a namespace and a workflow, in hexadecimal digits. `workflow` returns the
 * tag of a workflow id as it is, `workflows` the tags of all messages that are read in a workflow: in the run of a
 * schedule also that of the id that the schedule names.
 */
export const headerTags = {
  namespace: (namespace: string): string => hex(namespaceTag(namespace)),
  workflow: (namespace: string, workflowId: string): string => hex(workflowTag(namespace, workflowId)),
  workflows: (namespace: string, workflowId: string): readonly string[] =>
    [workflowId, scheduledWorkflowId(workflowId)].map((id) => headerTags.workflow(namespace, id)),
} as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

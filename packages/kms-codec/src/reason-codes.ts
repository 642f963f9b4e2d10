/*
 * The reason codes. The errors, the history API, the dashboard, docs/runbook.md and the Python package all
 * take them from this table. This module has no imports, so that the dashboard can bundle it.
 */

/**
 * How a problem is resolved.
 * - `retryable`: the problem is temporary.
 * - `restorable`: an administrator must act.
 * - `permanent`: no retry can correct the problem, so Temporal does not retry.
 * - `information`: a note about a payload that the codec returns unchanged.
 */
export type ReasonClass = 'retryable' | 'restorable' | 'permanent' | 'information';

/** What a reason code means. `meaning` and `remedy` are sentences, with settings and commands in backticks. */
export interface Reason {
  readonly class: ReasonClass;
  /** The title, in two or three words. */
  readonly title: string;
  /** What is needed to resolve the problem, in two or three words. */
  readonly kind: string;
  readonly meaning: string;
  /** What to do. */
  readonly remedy: string;
  /** Set if the code means that Cloud KMS refuses the whole key or key version, not a single message. */
  readonly refused?: 'key' | 'version' | undefined;
}

/**
 * Every {@link ReasonCode}, retryable codes first. This is a separate list, so that a bundle that needs only
 * the codes does not contain the texts.
 */
export const reasonCodes = [
  'kms_quota',
  'kms_unavailable',
  'checksum_mismatch',
  'data_key_exhausted',
  'storage_unavailable',
  'key_disabled',
  'key_destroy_scheduled',
  'key_not_found',
  'key_not_allowed',
  'permission_denied',
  'namespace_not_configured',
  'namespace_mismatch',
  'format_not_allowed',
  'namespace_not_permitted',
  'layer_unreadable',
  'unsupported_version',
  'too_large',
  'storage_not_allowed',
  'storage_not_found',
  'key_destroyed',
  'workflow_mismatch',
  'integrity_failed',
  'malformed',
  'storage_altered',
  'event_not_found',
  'external_reference',
  'system_envelope',
  'not_encrypted',
] as const;

/** Why a payload cannot be or was not encrypted or decrypted. */
export type ReasonCode = (typeof reasonCodes)[number];

const retryable = (title: string, meaning: string, remedy: string): Reason => ({
  class: 'retryable',
  title,
  kind: 'retries automatically',
  meaning,
  remedy,
});
const restorable = (
  title: string,
  kind: string,
  meaning: string,
  remedy: string,
  refused?: Reason['refused'],
): Reason => ({ class: 'restorable', title, kind, meaning, remedy, refused });
const permanent = (title: string, meaning: string, remedy: string, refused?: Reason['refused']): Reason => ({
  class: 'permanent',
  title,
  kind: 'permanent',
  meaning,
  remedy,
  refused,
});
const information = (title: string, meaning: string, remedy: string): Reason => ({
  class: 'information',
  title,
  kind: 'information',
  meaning,
  remedy,
});

/** Every reason code, by class. */
export const reasons = {
  kms_quota: retryable('KMS quota', 'The Cloud KMS quota is exceeded.', 'If it continues, raise the quota.'),
  kms_unavailable: retryable(
    'KMS unreachable',
    'Cloud KMS did not answer in time.',
    "If it continues, check the network and Google Cloud's status page.",
  ),
  checksum_mismatch: retryable(
    'Checksum differs',
    "Cloud KMS's response was damaged in transit.",
    'If it continues, check the network to Cloud KMS.',
  ),
  data_key_exhausted: retryable(
    'Data key spent',
    'The encryption key has reached its hard limit, and Cloud KMS did not wrap a new key.',
    'Restore access to Cloud KMS.',
  ),
  storage_unavailable: retryable(
    'Storage unreachable',
    'External storage did not return the object.',
    "If it continues, check the error's cause.",
  ),
  key_disabled: restorable(
    'Key disabled',
    'restorable',
    'The key version is disabled.',
    'Enable it: `gcloud kms keys versions enable`.',
    'version',
  ),
  key_destroy_scheduled: restorable(
    'Key to be destroyed',
    'restorable',
    'The key version is scheduled for destruction.',
    'Restore it before its destruction (`gcloud kms keys versions restore`), then enable it (`gcloud kms keys versions enable`).',
    'version',
  ),
  key_not_found: restorable(
    'Key not found',
    'needs a setting',
    'Cloud KMS has no key of this name.',
    'Check the name in the keys file.',
    'key',
  ),
  key_not_allowed: restorable(
    'Key not allowed',
    'needs a setting',
    "The keys file does not list the key for the namespace, or denies the message's wrapped key.",
    'Add the key under `decrypt` or, to write, under `encrypt`. If the error names the deny-list, an attacker may have written the message.',
  ),
  permission_denied: restorable(
    'No permission',
    'needs a permission',
    'The service account may not use the key.',
    'Grant it `roles/cloudkms.cryptoKeyDecrypter` on the key and, to write, also `roles/cloudkms.cryptoKeyEncrypter`.',
    'key',
  ),
  namespace_not_configured: restorable(
    'No key configured',
    'needs a setting',
    'The keys file has no entry for the namespace, and no `default`.',
    'Add an entry.',
  ),
  namespace_mismatch: restorable(
    'Other namespace',
    'needs a setting',
    'The message was encrypted for another namespace.',
    'If this namespace is meant to read it, add the other namespace under `accepts`. Otherwise find out who copied the message here.',
  ),
  format_not_allowed: restorable(
    'Format not allowed',
    'needs a setting',
    'The keys file does not let the namespace read this format, plaintext, a reference to external storage, or a message without a workflow tag.',
    'Change `reads`, `plaintext` or `workflowTag` in that file.',
  ),
  namespace_not_permitted: restorable(
    'No permission there',
    'needs a permission',
    'The message was encrypted in another namespace, for which the caller has no permission or sent no justification.',
    'Add a policy rule for that namespace, or send a justification.',
  ),
  layer_unreadable: restorable(
    'Still encrypted',
    'needs a setting',
    "The payload contains another encrypted or compressed payload, which the keys file does not let the namespace read. The error names the inner payload's format and key.",
    "List that format under `reads` and its key under `decrypt` or `static`. With more than four layers or an unknown compression, decode the payload with the writer's codec.",
  ),
  unsupported_version: restorable(
    'Newer format',
    'needs an update',
    'A later version of this library encrypted the message, or `zstd` compression needs Node 22.15 or later.',
    'Update the library or Node.',
  ),
  too_large: restorable(
    'Too large',
    'needs a setting',
    'The payload exceeds a limit: 64 MiB encrypted (`maxPayloadBytes`), 16 MiB decompressed (`maxDecompressedBytes`), 128 MiB in one call (`maxCallBytes`), 50 MiB in external storage, or 64 KiB with `direct` (8 KiB with an HSM key).',
    "To read it, raise the reader's limit or `CODEC_MAX_INFLIGHT_BYTES`. To write it, use an envelope format instead of `direct`, or external storage.",
  ),
  storage_not_allowed: restorable(
    'Storage not allowed',
    'needs a setting',
    'The storage file does not let the namespace read the object.',
    'Add its bucket or prefix, or find out who wrote the reference.',
  ),
  storage_not_found: restorable(
    'Object gone',
    'restorable',
    'External storage does not have the object.',
    "Restore it, and check the bucket's life-cycle rules.",
  ),
  key_destroyed: permanent(
    'Key destroyed',
    'The key version is destroyed.',
    'The payload cannot be recovered.',
    'version',
  ),
  workflow_mismatch: permanent(
    'Other workflow',
    'The message was encrypted for another workflow (`KMS_BIND_WORKFLOW=true`).',
    'For a Nexus result, switch off workflow binding in the writer. Otherwise find out who copied the message here.',
  ),
  integrity_failed: permanent(
    'Integrity failed',
    'Authentication failed: the message was modified or truncated, or the key is wrong.',
    'Check the key, and compare the payload with a backup or an export.',
  ),
  malformed: permanent(
    'Malformed',
    'The content does not have the format that its metadata names.',
    'Compare the payload with a backup or an export.',
  ),
  storage_altered: permanent(
    'Object altered',
    'The stored object differs from what the writer stored.',
    'Restore an older version, and find out who can write to the bucket.',
  ),
  event_not_found: permanent(
    'Event gone',
    'Temporal no longer has the event: its retention period has passed, or the run was reset.',
    'Look for an export.',
  ),
  external_reference: information(
    'Stored elsewhere',
    'The payload is a reference to external storage.',
    'Add the store to the storage file (`CODEC_STORAGE_FILE`; `temporal-kms --external-storage`). If the file lists the store, only the driver that wrote the reference can read the object.',
  ),
  system_envelope: information(
    'Packed payloads',
    "A request to Temporal's own Nexus endpoint (`__temporal_system`), in which the SDK has packed payloads.",
    'Read them in the history of the workflow that the request starts or signals.',
  ),
  not_encrypted: information(
    'Plaintext',
    'The payload is not encrypted: everyone with access to Temporal can read it.',
    'Find the client that wrote it without the codec.',
  ),
} satisfies Readonly<Record<ReasonCode, Reason>>;

/** Returns the class of a reason code. */
export const reasonClass = (code: ReasonCode): ReasonClass => reasons[code].class;

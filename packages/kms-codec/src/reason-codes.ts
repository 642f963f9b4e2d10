/*
 * The reason codes of docs/wire-formats.md, for the library's errors, the history API and the dashboard. This module has no
 * imports, so that the dashboard can bundle it.
 */

/** The class of each reason code. */
export const reasonClasses = {
  kms_quota: 'retryable',
  kms_unavailable: 'retryable',
  checksum_mismatch: 'retryable',
  data_key_exhausted: 'retryable',
  key_disabled: 'restorable',
  key_destroy_scheduled: 'restorable',
  key_not_found: 'restorable',
  key_not_allowed: 'restorable',
  permission_denied: 'restorable',
  namespace_not_configured: 'restorable',
  format_not_allowed: 'restorable',
  namespace_not_permitted: 'restorable',
  layer_unreadable: 'restorable',
  key_destroyed: 'permanent',
  namespace_mismatch: 'permanent',
  workflow_mismatch: 'permanent',
  integrity_failed: 'permanent',
  malformed: 'permanent',
  unsupported_version: 'permanent',
  too_large: 'permanent',
  event_not_found: 'permanent',
  external_reference: 'information',
  not_encrypted: 'information',
} as const;

/** Why a payload cannot be encrypted or decrypted, or why it was not: a closed list. */
export type ReasonCode = keyof typeof reasonClasses;

/**
 * What resolves a reason: `retryable` is temporary, `restorable` needs an administrator, `permanent` has no remedy, and
 * `information` is a warning about a payload that passes. Temporal does not retry permanent failures.
 */
export type ReasonClass = 'retryable' | 'restorable' | 'permanent' | 'information';

/** Every {@link ReasonCode}, retryable codes first. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The object has no other keys.
export const reasonCodes = Object.keys(reasonClasses) as readonly ReasonCode[];

/** Returns the class of a reason code. */
export const reasonClass = (code: ReasonCode): ReasonClass => reasonClasses[code];

/** Whether a text is one of the {@link reasonCodes}. */
export const isReasonCode = (code: string): boolean => Object.hasOwn(reasonClasses, code);

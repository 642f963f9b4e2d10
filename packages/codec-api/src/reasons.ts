import { z } from 'zod';

/**
 * Why a payload can't be read: the closed list of `docs/wire-formats.md`. The codec's errors, this API and the
 * dashboard share it; a test in codec-server holds it equal to kms-codec's.
 * `external_reference` and `not_encrypted` are warnings beside a readable payload, never a refusal.
 */
export const reasonCode = z.enum([
  'key_disabled',
  'key_destroy_scheduled',
  'key_destroyed',
  'key_not_found',
  'key_not_allowed',
  'permission_denied',
  'kms_quota',
  'kms_unavailable',
  'namespace_mismatch',
  'workflow_mismatch',
  'integrity_failed',
  'malformed',
  'unsupported_version',
  'too_large',
  'data_key_exhausted',
  'external_reference',
  'format_not_allowed',
  'namespace_not_configured',
  'checksum_mismatch',
  'namespace_not_permitted',
  'layer_unreadable',
  'event_not_found',
  'not_encrypted',
]);
export type ReasonCode = z.infer<typeof reasonCode>;

/** How many payloads, by reason; a reason that none has is left out. */
export const reasonCounts = z.partialRecord(reasonCode, z.number().int().positive());
export type ReasonCounts = z.infer<typeof reasonCounts>;

/** What can be done about a reason: it passes by itself, an administrator can set it right, nobody can, or nothing need be. */
export type ReasonClass = 'retryable' | 'restorable' | 'permanent' | 'information';

const classes: Readonly<Record<ReasonCode, ReasonClass>> = {
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
};

export const reasonClass = (code: ReasonCode): ReasonClass => classes[code];

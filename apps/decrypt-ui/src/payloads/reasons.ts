import { type ReasonClass, type ReasonCode, reasons } from '@temporal-kms/codec-api';

/**
 * Amber: an administrator can fix the cause. Orange: the cause is temporary. Red: the cause is permanent. Grey: for
 * information.
 */
type ReasonTone = 'pending' | 'timed-out' | 'failed' | 'neutral';
export type ReasonIcon = 'lock' | 'open' | 'clock' | 'shield' | 'file' | 'weight' | 'key' | 'elsewhere';

const tones: Readonly<Record<ReasonClass, ReasonTone>> = {
  retryable: 'timed-out',
  restorable: 'pending',
  permanent: 'failed',
  information: 'neutral',
};

/** The icons of the reason codes that don't use the default icon, `lock`. */
const icons: Partial<Readonly<Record<ReasonCode, ReasonIcon>>> = {
  kms_quota: 'clock',
  kms_unavailable: 'clock',
  checksum_mismatch: 'clock',
  data_key_exhausted: 'key',
  storage_unavailable: 'clock',
  namespace_mismatch: 'shield',
  namespace_not_permitted: 'shield',
  unsupported_version: 'file',
  too_large: 'weight',
  storage_not_allowed: 'elsewhere',
  storage_not_found: 'elsewhere',
  workflow_mismatch: 'shield',
  integrity_failed: 'shield',
  malformed: 'file',
  storage_altered: 'shield',
  event_not_found: 'file',
  external_reference: 'elsewhere',
  not_encrypted: 'open',
};

/** Returns the title of a reason code, its kind, and how the page shows it. */
export function reasonText(code: ReasonCode): {
  readonly title: string;
  readonly tone: ReasonTone;
  readonly icon: ReasonIcon;
  readonly kind: string;
} {
  const { title, kind, class: group } = reasons[code];
  // The code for plaintext is the only informational code on which an administrator needs to act.
  const tone = code === 'not_encrypted' ? 'pending' : tones[group];
  return { title, kind, tone, icon: icons[code] ?? 'lock' };
}

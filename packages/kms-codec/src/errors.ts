import { ApplicationFailure } from '@temporalio/common';

/** Passes by itself: wait and try again. */
const retryable = ['kms_quota', 'kms_unavailable', 'checksum_mismatch', 'data_key_exhausted'] as const;
/** An administrator can set it right; the payload is as good as ever. */
const restorable = [
  'key_disabled',
  'key_destroy_scheduled',
  'key_not_found',
  'key_not_allowed',
  'permission_denied',
  'namespace_not_configured',
  'format_not_allowed',
  'namespace_not_permitted',
  'layer_unreadable',
] as const;
/** Trying again gives the same answer. */
const permanent = [
  'key_destroyed',
  'namespace_mismatch',
  'workflow_mismatch',
  'integrity_failed',
  'malformed',
  'unsupported_version',
  'too_large',
  'external_reference',
  'event_not_found',
  'not_encrypted',
] as const;

/** Every {@link ReasonCode}, retryable ones first, permanent ones last. */
export const reasonCodes = [...retryable, ...restorable, ...permanent] as const;

/** Why a payload can't be sealed or opened: the closed list of `docs/wire-formats.md`. */
export type ReasonCode = (typeof reasonCodes)[number];
/** What may help: waiting, an administrator, or nothing. Only permanent failures are non-retryable in Temporal. */
export type ReasonClass = 'retryable' | 'restorable' | 'permanent';

const classOf = new Map<ReasonCode, ReasonClass>([
  ...retryable.map((code) => [code, 'retryable'] as const),
  ...restorable.map((code) => [code, 'restorable'] as const),
  ...permanent.map((code) => [code, 'permanent'] as const),
]);

/** The class of a code; see the package's README for what each means and what to do. */
export const reasonClass = (code: ReasonCode): ReasonClass => classOf.get(code) ?? 'permanent';

/** Whether a text is one of the {@link reasonCodes}. */
export const isReasonCode = (code: string): boolean => reasonCodes.some((known) => known === code);

/** What an error knows beside its code. */
export interface KmsCodecErrorOptions {
  /** Crypto key resource name. */
  readonly key?: string | undefined;
  /** Cloud KMS key version, from 1. */
  readonly keyVersion?: number | undefined;
  /** Kept for the process's own logs; Temporal stores its message too, so it never holds plaintext or addresses. */
  readonly cause?: unknown;
}

/**
 * The only error that this library throws. Match on `code`, never on the message: a message may change and names
 * at most a key. Temporal stores it with the failure: it is an ApplicationFailure whose `type` is
 * `KmsCodecError:<code>`, non-retryable for permanent codes only.
 */
export class KmsCodecError extends ApplicationFailure {
  readonly code: ReasonCode;
  readonly key: string | undefined;
  readonly keyVersion: number | undefined;

  constructor(code: ReasonCode, message: string, options: KmsCodecErrorOptions = {}) {
    const cause = options.cause instanceof Error ? options.cause : undefined;
    super(message, `KmsCodecError:${code}`, reasonClass(code) === 'permanent', undefined, cause);
    this.code = code;
    this.key = options.key;
    this.keyVersion = options.keyVersion;
    // Temporal's worker overwrites it on whatever an activity's input fails with, and would try a permanent failure
    // again for ever.
    const nonRetryable = this.nonRetryable;
    Object.defineProperty(this, 'nonRetryable', {
      enumerable: true,
      get: () => nonRetryable,
      set() {},
    });
  }

  /** @internal An equal error: one that is remembered goes to many, and Temporal's worker writes into those that it gets. */
  clone(): KmsCodecError {
    const { code, message, key, keyVersion, cause } = this;
    return new KmsCodecError(code, message, { key, keyVersion, cause });
  }

  /** What may help. */
  get class(): ReasonClass {
    return reasonClass(this.code);
  }

  /** Whether it passes by itself. Restorable failures are tried again by Temporal too, but need somebody's help. */
  get retryable(): boolean {
    return this.class === 'retryable';
  }
}

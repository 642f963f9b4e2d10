import { ApplicationFailure } from '@temporalio/common';
import { type ReasonClass, reasonClass, type ReasonCode } from './reason-codes.ts';

export { reasonClass, reasonCodes, reasons } from './reason-codes.ts';
export type { Reason, ReasonClass, ReasonCode } from './reason-codes.ts';

/** What an error contains in addition to its code and message. */
export interface KmsCodecErrorOptions {
  /** Crypto key resource name. */
  readonly key?: string | undefined;
  /** Cloud KMS key version, from 1. */
  readonly keyVersion?: number | undefined;
  /**
   * The cause, for the process's log. Temporal also stores the cause's message, which therefore never
   * contains plaintext or network addresses.
   */
  readonly cause?: unknown;
}

/**
 * The error that the codec's calls throw. Match on `code`, not on the message, which can change. Temporal
 * stores the error as an ApplicationFailure with the type `KmsCodecError:<code>`. The failure is
 * non-retryable if the code is permanent. The message can name crypto keys, namespaces and stored objects,
 * but contains no plaintext.
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
    // Keeps the value, because Temporal's worker overwrites `nonRetryable` if it cannot decode an activity's
    // input. Temporal would then retry the activity forever, although the failure is permanent.
    const nonRetryable = this.nonRetryable;
    Object.defineProperty(this, 'nonRetryable', { enumerable: true, get: () => nonRetryable, set() {} });
  }

  /**
   * @internal Returns a copy of the error, because a cached error is thrown many times and Temporal's worker
   *   modifies the errors that it receives.
   */
  clone(): KmsCodecError {
    const { code, message, key, keyVersion, cause } = this;
    return new KmsCodecError(code, message, { key, keyVersion, cause });
  }

  /** The class of the error, which tells how the error can be resolved. */
  get class(): ReasonClass {
    return reasonClass(this.code);
  }

  /**
   * Whether the error is temporary. Temporal also retries restorable errors, although an administrator must
   * resolve their causes.
   */
  get retryable(): boolean {
    return this.class === 'retryable';
  }
}

import { ApplicationFailure } from '@temporalio/common';
import { type ReasonClass, reasonClass, type ReasonCode } from './reason-codes.ts';

export { reasonClass, reasonCodes, reasons } from './reason-codes.ts';
export type { Reason, ReasonClass, ReasonCode } from './reason-codes.ts';

/** What an error contains in addition to its code. */
export interface KmsCodecErrorOptions {
  /** Crypto key resource name. */
  readonly key?: string | undefined;
  /** Cloud KMS key version, from 1. */
  readonly keyVersion?: number | undefined;
  /** For the process's log. Temporal stores its message too, so it never contains plaintext or addresses. */
  readonly cause?: unknown;
}

/**
 * The only error that this library throws. Match on `code`, not on the message, which may change. Temporal stores it as an
 * ApplicationFailure with the type `KmsCodecError:<code>`, which is non-retryable if its code is permanent. The message
 * contains no plaintext, and at most the names of crypto keys and namespaces.
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
    // When an activity's input cannot be decoded, Temporal's worker overwrites this property, and would then retry a
    // permanent failure forever.
    const nonRetryable = this.nonRetryable;
    Object.defineProperty(this, 'nonRetryable', { enumerable: true, get: () => nonRetryable, set() {} });
  }

  /** @internal Returns a copy. A cached error is thrown many times, and Temporal's worker modifies the errors that it gets. */
  clone(): KmsCodecError {
    const { code, message, key, keyVersion, cause } = this;
    return new KmsCodecError(code, message, { key, keyVersion, cause });
  }

  /** What resolves the error. */
  get class(): ReasonClass {
    return reasonClass(this.code);
  }

  /** Whether the error is temporary. Temporal also retries restorable errors, but these need an administrator. */
  get retryable(): boolean {
    return this.class === 'retryable';
  }
}

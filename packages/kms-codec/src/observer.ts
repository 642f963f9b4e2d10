import type { ReasonCode } from './errors.ts';

/** A Cloud KMS call as this library made it: one attempt of it, retries are calls of their own. */
export interface KmsCall {
  readonly operation: 'wrap' | 'unwrap' | 'describe';
  /** Crypto key resource name. */
  readonly key: string;
  readonly milliseconds: number;
  /** Requests that it sent to Cloud KMS: a second one where the first answer may have been damaged on the way. */
  readonly requests: number;
  /** Both absent when it succeeded; the message is for people. */
  readonly code?: ReasonCode;
  readonly message?: string;
}

/**
 * Where metrics and logs leave this library. Every method is optional, is called synchronously and must not throw;
 * what it is given never holds plaintext or key bytes.
 */
export interface Observer {
  kmsCall?(call: KmsCall): void;
  /** An attempt failed retryably and will be made again after `delayMs`. */
  kmsRetry?(event: { readonly key: string; readonly code: ReasonCode; readonly delayMs: number }): void;
  sealed?(event: { readonly namespace: string; readonly format: string; readonly bytes: number }): void;
  opened?(event: { readonly namespace: string; readonly format: string; readonly bytes: number }): void;
  refused?(event: {
    readonly namespace: string;
    readonly code: ReasonCode;
    readonly key?: string | undefined;
  }): void;
  /** Plaintext stood where this codec would have sealed, and the namespace's rule lets it pass with a report. */
  notEncrypted?(event: { readonly namespace: string }): void;
  /** A look-up of an opened data key. `joined`: another call was already asking Cloud KMS. */
  dataKeyLookup?(event: { readonly namespace: string; readonly outcome: 'hit' | 'miss' | 'joined' }): void;
  /** A new data key took over, or could not be had. `reason` is why the old one was given up. */
  dataKeyRotated?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly keyVersion: number;
    readonly reason: 'first' | 'age' | 'messages' | 'bytes';
  }): void;
  dataKeyRefreshFailed?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly code: ReasonCode;
  }): void;
}

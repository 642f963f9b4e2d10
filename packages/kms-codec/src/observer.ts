import type { BranchKeyStoreCode } from './branch-keys/store.ts';
import type { ReasonCode } from './errors.ts';

/** One attempt to call Cloud KMS. A retry is another attempt. */
export interface KmsCall {
  readonly operation: 'wrap' | 'unwrap' | 'describe';
  /** Crypto key resource name. */
  readonly key: string;
  /**
   * The key version that Cloud KMS's error names or, if the error names no version, the version that the
   * message names. Absent if the message names no version, and for calls that use the primary version.
   */
  readonly keyVersion?: number;
  readonly milliseconds: number;
  /**
   * Number of requests that were sent to Cloud KMS. There is more than one request if the first may have been
   * damaged in transit, if an error required a lookup of the key version's state, or if this process stalled.
   */
  readonly requests: number;
  /** The reason code of the failure. Absent if the attempt succeeded. */
  readonly code?: ReasonCode;
  readonly message?: string;
}

/**
 * Receives the events that metrics and logs need. Every method is optional, is called synchronously and must not throw.
 * Events never contain plaintext or key bytes.
 */
export interface Observer {
  kmsCall?(call: KmsCall): void;
  /** An attempt failed with a retryable error; the next attempt starts after `delayMs`. */
  kmsRetry?(event: { readonly key: string; readonly code: ReasonCode; readonly delayMs: number }): void;
  /** A payload was encrypted. */
  encrypted?(event: { readonly namespace: string; readonly format: string; readonly bytes: number }): void;
  /** A payload was decrypted. */
  decrypted?(event: { readonly namespace: string; readonly format: string; readonly bytes: number }): void;
  /** A call of `encode` or `decode` failed. The message is for people. */
  refused?(event: {
    readonly namespace: string;
    readonly code: ReasonCode;
    readonly key?: string | undefined;
    readonly message?: string | undefined;
  }): void;
  /**
   * A failure's message or details could not be encrypted and are lost. A constant payload replaces the
   * message or details.
   */
  failureReplaced?(event: { readonly namespace: string; readonly code: ReasonCode }): void;
  /** A plaintext payload passed in a namespace whose rule reports plaintext. */
  notEncrypted?(event: { readonly namespace: string }): void;
  /**
   * A lookup of a branch key or data key in the data-key cache. `joined` means that another call was already
   * unwrapping the same key. `stale` means that Cloud KMS does not respond, so its previous response stays
   * valid for longer.
   */
  dataKeyLookup?(event: {
    readonly namespace: string;
    readonly outcome: 'hit' | 'stale' | 'miss' | 'joined';
  }): void;
  /**
   * The codec checked with Cloud KMS whether a key version in use still decrypts. `refused` means that the
   * codec removed the keys under that version. `unavailable` means that these keys remain in use for now.
   * `namespace` is the namespace of the key that Cloud KMS was to unwrap.
   */
  keyRevalidated?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly keyVersion: number | undefined;
    readonly outcome: 'confirmed' | 'refused' | 'unavailable';
    readonly code?: ReasonCode | undefined;
  }): void;
  /**
   * A new branch key or data key now encrypts. `reason` is why the new key replaced the previous key. For
   * branch keys, the reason after the first key is always `age`. Not called for a new salt.
   */
  dataKeyRotated?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly keyVersion: number;
    readonly reason: 'first' | 'age' | 'messages' | 'bytes';
    /** Whether this process created the key or adopted it from the branch-key store. */
    readonly origin: 'created' | 'store';
  }): void;
  /** No new key could be obtained. The current key stays in use. */
  dataKeyRefreshFailed?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly code: ReasonCode;
  }): void;
  /**
   * The branch-key store failed, or the codec refused a key from the store (`adopt`). Called once per outage.
   * The failure affects no payload. The message is for people.
   */
  branchKeyStoreFailed?(event: {
    readonly operation: 'load' | 'replace' | 'adopt';
    readonly code: BranchKeyStoreCode;
    readonly message: string;
    /** The namespace; present only for `adopt`. */
    readonly namespace?: string;
    readonly key?: string;
  }): void;
  /** The problem that `branchKeyStoreFailed` reported has ended. */
  branchKeyStoreRecovered?(event: {
    readonly operation: 'load' | 'replace' | 'adopt';
    readonly namespace?: string;
    readonly key?: string;
  }): void;
}

/** Every observer event. TypeScript reports an event that is missing here. */
const listed: Readonly<Record<keyof Observer, true>> = {
  kmsCall: true,
  kmsRetry: true,
  encrypted: true,
  decrypted: true,
  refused: true,
  failureReplaced: true,
  notEncrypted: true,
  dataKeyLookup: true,
  keyRevalidated: true,
  dataKeyRotated: true,
  dataKeyRefreshFailed: true,
  branchKeyStoreFailed: true,
  branchKeyStoreRecovered: true,
};
const events = Object.keys(listed).filter((name): name is keyof Observer => name in listed);

/**
 * Returns one observer that calls several observers in the given order, and has only the methods that at least one
 * of them has.
 *
 * @example
 * const codec = loadKmsCodec({ observer: combineObservers(metrics.observer, { refused: (event) => log.warn(event) })
 * });
 */
export function combineObservers(...observers: readonly Observer[]): Observer {
  return Object.fromEntries(
    events
      .map((event) => [event, callAll(observers.map((one) => one[event]?.bind(one)))] as const)
      .filter(([, call]) => call !== undefined),
  );
}

type Listener = (event: never) => void;

function callAll(listeners: readonly (Listener | undefined)[]): Listener | undefined {
  const [first, ...others] = listeners.filter((listener) => listener !== undefined);
  if (others.length === 0) return first;
  return (event) => {
    first?.(event);
    for (const other of others) other(event);
  };
}

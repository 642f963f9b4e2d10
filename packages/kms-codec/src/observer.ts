import type { BranchKeyStoreCode } from './branch-keys/store.ts';
import type { ReasonCode } from './errors.ts';

/** One attempt of a Cloud KMS call. A retry is another attempt. */
export interface KmsCall {
  readonly operation: 'wrap' | 'unwrap' | 'describe';
  /** Crypto key resource name. */
  readonly key: string;
  /**
   * The key version that the message names or, if Cloud KMS refuses another, the refused one. Absent where the message
   * names none, and for calls under the primary version.
   */
  readonly keyVersion?: number;
  readonly milliseconds: number;
  /** Requests sent to Cloud KMS: more than one if the first response may have been damaged in transit. */
  readonly requests: number;
  /** Absent when the attempt succeeded. The message is for people. */
  readonly code?: ReasonCode;
  readonly message?: string;
}

/**
 * Receives the events that metrics and logs need. Every method is optional, is called synchronously and must not throw.
 * Events never contain plaintext or key bytes.
 */
export interface Observer {
  kmsCall?(call: KmsCall): void;
  /** An attempt failed with a retryable error and will be repeated after `delayMs`. */
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
  /** A failure's message or details could not be encrypted. A constant payload was stored instead; they are lost. */
  failureReplaced?(event: { readonly namespace: string; readonly code: ReasonCode }): void;
  /** A plaintext payload passed, and the namespace's rule reports that. */
  notEncrypted?(event: { readonly namespace: string }): void;
  /**
   * A lookup of a branch key or data key in the data-key cache. `joined`: another call was already unwrapping the same
   * key. `stale`: Cloud KMS does not answer, so its last answer counts for longer.
   */
  dataKeyLookup?(event: {
    readonly namespace: string;
    readonly outcome: 'hit' | 'stale' | 'miss' | 'joined';
  }): void;
  /**
   * The codec asked Cloud KMS again whether a key version in use still decrypts. `refused`: the keys under it were
   * removed. `unavailable`: they remain in use for now. `namespace` is the one of the key that Cloud KMS was asked to
   * unwrap.
   */
  keyRevalidated?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly keyVersion: number | undefined;
    readonly outcome: 'confirmed' | 'refused' | 'unavailable';
    readonly code?: ReasonCode | undefined;
  }): void;
  /**
   * A new key that Cloud KMS wrapped, a branch key or data key, encrypts from now on. `reason` is why it replaced the
   * previous key: of a branch key always its age. Not called for a new salt.
   */
  dataKeyRotated?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly keyVersion: number;
    readonly reason: 'first' | 'age' | 'messages' | 'bytes';
    /** Whether this process created the key, or adopted it from the store of branch keys. */
    readonly origin: 'created' | 'store';
  }): void;
  /** Cloud KMS wrapped no new key; the current key stays in use. */
  dataKeyRefreshFailed?(event: {
    readonly namespace: string;
    readonly key: string;
    readonly code: ReasonCode;
  }): void;
  /**
   * The store of branch keys failed, or a key in it was refused (`adopt`). Called once until it works again; payloads
   * are not affected. The message is for people.
   */
  branchKeyStoreFailed?(event: {
    readonly operation: 'load' | 'replace' | 'adopt';
    readonly code: BranchKeyStoreCode;
    readonly message: string;
    /** Only for `adopt`. */
    readonly namespace?: string;
    readonly key?: string;
  }): void;
  /** What `branchKeyStoreFailed` reported works again. */
  branchKeyStoreRecovered?(event: {
    readonly operation: 'load' | 'replace' | 'adopt';
    readonly namespace?: string;
    readonly key?: string;
  }): void;
}

/** Every event of the observer: a new event is a type error until it is listed. */
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
 * Returns one observer that calls several in their order; it observes only events that one of them handles.
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

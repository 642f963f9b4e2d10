import type { KeyedSemaphore } from '@temporal-kms/node-utils/keyed-semaphore';
import type { Ciphertext } from '../crypto/aead.ts';
import type { Unencrypted } from '../crypto/plaintext.ts';
import type { WrappedKeyBytes } from '../crypto/wrapped-key.ts';
import type { Observer } from '../observer.ts';
import type { UnwrapRequest, Wrapped, WrapRequest } from './key-service.ts';
import type { DataKeyLimits } from './limits.ts';

/**
 * The calls of a `KeyService`, with types that separate encrypted from unencrypted bytes. `KeyService` itself has no
 * such types, because users of this package implement it.
 */
interface KeyCalls {
  readonly wrap: (request: WrapRequest & { readonly plaintext: Unencrypted }) => Promise<Wrapped>;
  readonly unwrap: (
    request: UnwrapRequest & { readonly ciphertext: Ciphertext | WrappedKeyBytes },
  ) => Promise<Uint8Array>;
}

/** The services and settings that all keys of a process share. */
export interface KeyContext {
  readonly keyService: KeyCalls;
  /** Limits the Cloud KMS calls of each namespace. */
  readonly semaphore: KeyedSemaphore;
  readonly limits: DataKeyLimits;
  readonly observer: Observer;
  /** The clock that measures how old keys are, in ms (see {@link elapsedClock}). */
  readonly now: () => number;
  /**
   * Returns the time of day, in ms since 1970. The time of day is used for a branch key's creation date,
   * which other processes compare with their clocks.
   */
  readonly wall: () => number;
  /** Whether the configuration denies a wrapped key. */
  readonly denies: (wrapped: WrappedKeyBytes) => boolean;
}

import type { KeyedSemaphore } from '@temporal-kms/node-utils/keyed-semaphore';
import type { Observer } from '../observer.ts';
import type { KeyService } from './key-service.ts';
import type { DataKeyLimits } from './limits.ts';

/** The services and settings that all keys of a process share. */
export interface KeyContext {
  readonly keyService: KeyService;
  /** Limits the Cloud KMS calls of each namespace. */
  readonly semaphore: KeyedSemaphore;
  readonly limits: DataKeyLimits;
  readonly observer: Observer;
  /** The clock for ages, in ms (see {@link elapsedClock}). */
  readonly now: () => number;
  /**
   * Returns the time of day, in ms since 1970. The time of day is used for a branch key's creation date,
   * which other processes compare with their clocks.
   */
  readonly wall: () => number;
  /** Whether the configuration denies a wrapped key. */
  readonly denies: (wrapped: Uint8Array) => boolean;
}

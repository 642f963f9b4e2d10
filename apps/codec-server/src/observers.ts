import type { Observer } from '@temporal-kms/kms-codec';

/** One observer that tells several, in their order. */
export function observeAll(...observers: readonly Observer[]): Observer {
  return {
    kmsCall: (event) => observers.forEach((one) => one.kmsCall?.(event)),
    kmsRetry: (event) => observers.forEach((one) => one.kmsRetry?.(event)),
    sealed: (event) => observers.forEach((one) => one.sealed?.(event)),
    opened: (event) => observers.forEach((one) => one.opened?.(event)),
    refused: (event) => observers.forEach((one) => one.refused?.(event)),
    notEncrypted: (event) => observers.forEach((one) => one.notEncrypted?.(event)),
    dataKeyLookup: (event) => observers.forEach((one) => one.dataKeyLookup?.(event)),
    dataKeyRotated: (event) => observers.forEach((one) => one.dataKeyRotated?.(event)),
    dataKeyRefreshFailed: (event) => observers.forEach((one) => one.dataKeyRefreshFailed?.(event)),
  };
}

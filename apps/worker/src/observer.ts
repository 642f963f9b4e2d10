import type { Observer } from '@temporal-kms/kms-codec';
import type { Log } from './log.ts';

/** The codec's events that an operator wants in the log. None of them holds plaintext or key bytes. */
export const logObserver = (log: Log): Observer => ({
  kmsRetry: (event) => log.warn(event, 'Cloud KMS call failed; trying again'),
  refused: (event) => log.warn(event, 'A payload was refused'),
  dataKeyRotated: (event) => log.info(event, 'A new data key seals'),
  dataKeyRefreshFailed: (event) =>
    log.warn(event, 'The data key could not be renewed; the old one stays in use'),
});

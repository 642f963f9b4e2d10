import { type Observer, reasonClass, type ReasonCode, reasons } from '@temporal-kms/kms-codec';
import type { SafeLogEntry, WriteLog } from '@temporal-kms/node-utils/log-entry';
import { MinuteAggregator } from '@temporal-kms/node-utils/minute-aggregator';
import { outageLogs } from '@temporal-kms/node-utils/outage-log';

/** Maximum number of event kinds distinguished within a minute. */
const MAX_KINDS = 1_000;

const isOutage = (code: ReasonCode): boolean => reasonClass(code) === 'retryable';

/** Cloud KMS may be unavailable in one location and not in another. */
const locationOf = (key: string): string => /^projects\/[^/]+\/locations\/[^/]+/.exec(key)?.[0] ?? key;

/** Returns a function that writes the first of equal entries at once, and once a minute the number of the others. */
function onceAMinute(write: WriteLog): WriteLog {
  const events = new MinuteAggregator<SafeLogEntry>({
    kinds: MAX_KINDS,
    flushed: (suppressed) => {
      for (const { first, count } of suppressed)
        write({ ...first, fields: { ...first.fields, repeated: count } });
    },
  });
  return (entry) => {
    const { level, message, fields } = entry;
    const kind = JSON.stringify([message, fields]);
    if (!events.has(kind) && !events.hasRoom) events.count(message, { level, message, fields: {} }, 1);
    else if (events.pass(kind, entry, 1)) write(entry);
  };
}

/**
 * Returns an observer that logs what matters to an operator: new keys; one line when Cloud KMS becomes unavailable in
 * a location or rejects a key, and one when that ends, whatever the number of payloads; payloads that are rejected for
 * another reason, at most once a minute for each reason. No line contains plaintext or key bytes.
 * @param write receives the lines, as in `createSafeLogger({ write })`
 * @example
 * ```ts
 * const codec = loadKmsCodec({ observer: outageObserver(({ level, message, fields }) => log(level, message, fields))
 * });
 * ```
 */
export function outageObserver(write: WriteLog): Observer {
  // The codec calls Cloud KMS for configured keys only, so there are few.
  const unavailable = outageLogs(write, { down: 'Cloud KMS unavailable', up: 'Cloud KMS available again' });
  const rejected = outageLogs(write, {
    down: 'Cloud KMS rejects calls',
    up: 'Cloud KMS accepts calls again',
  });
  const repeated = onceAMinute(write);
  return {
    kmsCall: ({ operation, key, code, message: reason }) => {
      // An identity that may not describe keys may still use them.
      if (operation === 'describe') return;
      const outage = unavailable(locationOf(key));
      const rejection = rejected(`${operation} ${key}`);
      if (code === undefined) {
        outage.up({ operation, key });
        rejection.up({ operation, key });
      } else if (isOutage(code)) {
        outage.down({ operation, key, code, reason });
      } else if (reasons[code].refused !== undefined) {
        outage.up({ operation, key });
        rejection.down({ operation, key, code, reason });
      }
    },
    refused: ({ namespace, code, key }) => {
      // The line of the outage covers them.
      const isCovered = key !== undefined && unavailable(locationOf(key)).isDown;
      if (isCovered && isOutage(code) && code !== 'data_key_exhausted') return;
      const fields = { namespace, code, ...(key !== undefined && { key }) };
      repeated({ level: 'WARN', message: 'Payload rejected', fields });
    },
    failureReplaced: (event) =>
      repeated({
        level: 'ERROR',
        message: 'Failure stored without its message and details',
        fields: { ...event },
      }),
    dataKeyRotated: (event) => write({ level: 'INFO', message: 'New key in use', fields: { ...event } }),
    dataKeyRefreshFailed: (event) =>
      repeated({
        level: 'WARN',
        message: 'Key refresh failed; the current key stays in use',
        fields: { ...event },
      }),
    branchKeyStoreFailed: ({ message: reason, ...event }) =>
      write({
        level: 'WARN',
        message: 'Branch key store failed; this process continues with its own branch keys',
        fields: { ...event, reason },
      }),
    branchKeyStoreRecovered: (event) =>
      write({ level: 'INFO', message: 'Branch key store works again', fields: { ...event } }),
  };
}

import { type Observer, reasonClass, type ReasonCode, reasons } from '@temporal-kms/kms-codec';
import type { SafeLogEntry, WriteLog } from '@temporal-kms/node-utils/log-entry';
import { MinuteAggregator } from '@temporal-kms/node-utils/minute-aggregator';
import { outageLogs } from '@temporal-kms/node-utils/outage-log';

/** Maximum number of event kinds that are distinguished within a minute. */
const MAX_KINDS = 1_000;

const isOutage = (code: ReasonCode): boolean => reasonClass(code) === 'retryable';

/**
 * Returns the location of a key. Outages are tracked by location, because Cloud KMS may be unavailable in
 * only one location.
 */
const locationOf = (key: string): string => /^projects\/[^/]+\/locations\/[^/]+/.exec(key)?.[0] ?? key;

/**
 * Returns a function that immediately writes the first of several equal entries and, once a minute, the
 * number of suppressed repetitions.
 */
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
 * Returns an observer that logs the events that matter to an operator. The observer logs new keys. For each
 * outage of Cloud KMS in a location, and for each rejection of a key, the observer logs one entry at the
 * start and one at the end, regardless of the number of payloads. The observer logs payloads that are
 * rejected for other reasons at most once a minute for each reason. No entry contains plaintext or key bytes.
 * @param write receives the entries, as in `createSafeLogger({ write })`
 * @example
 * ```ts
 * const codec = loadKmsCodec({ observer: outageObserver(({ level, message, fields }) => log(level, message, fields))
 * });
 * ```
 */
export function outageObserver(write: WriteLog): Observer {
  // There are only a few outage logs, because the codec calls Cloud KMS only for configured keys.
  const unavailable = outageLogs(write, { down: 'Cloud KMS unavailable', up: 'Cloud KMS available again' });
  const rejected = outageLogs(write, {
    down: 'Cloud KMS rejects calls',
    up: 'Cloud KMS accepts calls again',
  });
  const repeated = onceAMinute(write);
  return {
    kmsCall: ({ operation, key, code, message: reason }) => {
      // Ignores failures to describe keys, because an identity without this permission may still use the
      // keys.
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
      // The log entry about the outage already covers these refusals.
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

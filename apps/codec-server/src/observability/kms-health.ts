import type { CryptoHealth } from '@temporal-kms/codec-api';
import { combineObservers, type KmsCall, type Observer, type ReasonCode } from '@temporal-kms/kms-codec';
import { outageObserver, writeToLog } from '@temporal-kms/kms-codec/worker-logging';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';

export type KmsState = Omit<CryptoHealth['kms'], 'emulator'>;
type Refused = NonNullable<KmsState['refused']>[number];

/** What Cloud KMS answered to real calls of late, known without a call. */
export interface KmsHealth {
  readonly observer: Observer;
  last(): KmsState;
}

/** Cloud KMS did not serve the call. */
const outages: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'kms_unavailable',
  'kms_quota',
  'checksum_mismatch',
]);

/** Answers about a whole key, whatever the version. */
const ofKey: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['permission_denied', 'key_not_found']);

/** Answers about a key version. Every other code is an answer about one payload. */
const ofVersion: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'key_disabled',
  'key_destroy_scheduled',
  'key_destroyed',
]);

/** The last answer about a key version, or about a key. `reason` is absent where the call succeeded. */
interface Outcome extends Omit<Refused, 'reason'> {
  readonly reason?: ReasonCode;
}

/** A message names its key version, so a forged message must not make the server remember more of them. */
const MAX_OUTCOMES = 256;

/** After a key version was restored, perhaps no caller reads what was encrypted under it. */
const REMEMBERED_MS = 60 * 60_000;

export interface KmsHealthOptions {
  readonly now?: () => Date;
  /** Absent: outages are not logged. */
  readonly log?: Logger;
}

/**
 * Returns an observer of the codec that remembers the last result of its Cloud KMS calls for each key version, and logs
 * outages. Descriptions of keys prove nothing: Cloud KMS describes a key that it refuses to use.
 */
export function watchKms({ now = () => new Date(), log }: KmsHealthOptions = {}): KmsHealth {
  let lastOk: Date | undefined;
  let outage: ReasonCode | undefined;
  const outcomes = new LRUCache<string, Outcome>({
    max: MAX_OUTCOMES,
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    perf: { now: () => now().getTime() },
  });
  const idOf = ({ operation, key, version }: Omit<Outcome, 'since'>): string =>
    `${operation} ${key} ${version ?? ''}`;
  const remember = (outcome: Omit<Outcome, 'since'>): void => {
    const id = idOf(outcome);
    const before = outcomes.get(id);
    const since = before?.reason === outcome.reason ? before?.since : undefined;
    outcomes.set(id, { ...outcome, since: since ?? now().toISOString() });
  };

  const observer: Observer = {
    kmsCall: ({ operation: call, key, keyVersion, code }) => {
      if (call === 'describe') return;
      const operation = operations[call];
      outage = code !== undefined && outages.has(code) ? code : undefined;
      if (outage !== undefined) return;
      const version = keyVersion === undefined ? {} : { version: keyVersion };
      if (code === undefined || code === 'integrity_failed') {
        lastOk = now();
        // Cloud KMS checks the permission before the bytes, so it rejects bytes only for those who may decrypt.
        const ofWhole = outcomes.get(idOf({ operation, key }));
        if (ofWhole?.reason !== undefined && (code === undefined || ofKey.has(ofWhole.reason)))
          outcomes.delete(idOf({ operation, key }));
        if (code === undefined) remember({ operation, key, ...version });
      } else if (ofVersion.has(code)) {
        remember({ operation, key, ...version, reason: code });
      } else if (ofKey.has(code)) {
        // A server that only shows payloads needs no permission to encrypt.
        if (operation === 'decrypt' || code !== 'permission_denied')
          remember({ operation, key, reason: code });
      }
    },
  };
  return {
    observer: log === undefined ? observer : combineObservers(observer, outagesOnly(log)),
    last: () => {
      const all = [...outcomes.values()];
      const refused = all.filter((one): one is Refused => one.reason !== undefined);
      const works = all.some(({ operation, reason }) => operation === 'decrypt' && reason === undefined);
      const decrypts = refused.some(({ operation }) => operation === 'decrypt');
      const ok = lastOk === undefined ? {} : { lastOk: lastOk.toISOString() };
      const list = refused.length === 0 ? {} : { refused };
      if (outage !== undefined) return { status: 'failing', reason: outage, ...ok, ...list };
      const [newest] = refused;
      if (newest === undefined) return { status: lastOk === undefined ? 'unknown' : 'ok', ...ok };
      return { status: decrypts && !works ? 'failing' : 'degraded', reason: newest.reason, ...ok, ...list };
    },
  };
}

const operations: Readonly<Record<Exclude<KmsCall['operation'], 'describe'>, Refused['operation']>> = {
  wrap: 'encrypt',
  unwrap: 'decrypt',
};

/** Logs outages of Cloud KMS and of the store. Callers could cause the other events, and have a line for each request. */
function outagesOnly(log: Logger): Observer {
  const all = outageObserver(writeToLog(log));
  return {
    kmsCall: (call) => all.kmsCall?.(call),
    branchKeyStoreFailed: (event) => all.branchKeyStoreFailed?.(event),
    branchKeyStoreRecovered: (event) => all.branchKeyStoreRecovered?.(event),
  };
}

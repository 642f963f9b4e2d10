import type { CryptoHealth } from '@temporal-kms/codec-api';
import {
  combineObservers,
  type KmsCall,
  type Observer,
  reasonClass,
  type ReasonCode,
  reasons,
} from '@temporal-kms/kms-codec';
import { outageObserver } from '@temporal-kms/worker-kit/logging';
import { writeToLog } from '@temporal-kms/node-utils/log-entry';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';

type KmsState = Omit<CryptoHealth['kms'], 'emulator'>;
type Refused = NonNullable<KmsState['refused']>[number];

/** The results of recent real Cloud KMS calls. Reading these results makes no call. */
export interface KmsHealth {
  readonly observer: Observer;
  last(): KmsState;
}

const refusedWith = (code: ReasonCode) => reasons[code].refused;

/** A key or key version that an operation used. */
type Used = Omit<Refused, 'since' | 'reason'>;

/** Maximum number of results of each kind, because forged messages can name any key version. */
const MAX_ANSWERS = 256;

/**
 * How long a refusal affects the reported health, in milliseconds. The time is limited because, after a key
 * version is restored, there may be no call that shows that the version is usable again.
 */
const REMEMBERED_MS = 60 * 60_000;

export interface KmsHealthOptions {
  readonly now?: () => Date;
  /** Receives a line for each outage. Without a logger, outages are not logged. */
  readonly log?: Logger;
}

/**
 * Returns an observer of the codec that remembers the latest result of Cloud KMS calls for each key version,
 * and logs outages. Ignores key descriptions, because Cloud KMS also describes keys that cannot be used.
 */
export function watchKms({ now = () => new Date(), log }: KmsHealthOptions = {}): KmsHealth {
  let lastOk: Date | undefined;
  let outage: ReasonCode | undefined;
  const answers = {
    max: MAX_ANSWERS,
    ttl: REMEMBERED_MS,
    ttlResolution: 0,
    perf: { now: () => now().getTime() },
  };
  /**
   * The latest results, by key version or key. Failures are in a separate cache, so that forged versions do
   * not evict working versions.
   */
  const refusals = new LRUCache<string, Refused>(answers);
  const successes = new LRUCache<string, Used>(answers);
  const idOf = ({ operation, key, version }: Used): string => `${operation} ${key} ${version ?? ''}`;
  const refuse = (used: Used, reason: ReasonCode): void => {
    const id = idOf(used);
    const before = refusals.get(id);
    const since = before?.reason === reason ? before.since : now().toISOString();
    refusals.set(id, { ...used, reason, since });
    for (const [known, { operation, key }] of successes)
      if (known === id || (refusedWith(reason) === 'key' && operation === used.operation && key === used.key))
        successes.delete(known);
  };

  const observer: Observer = {
    kmsCall: ({ operation: call, key, keyVersion, code }) => {
      if (call === 'describe') return;
      const operation = operations[call];
      outage = code !== undefined && reasonClass(code) === 'retryable' ? code : undefined;
      if (outage !== undefined) return;
      const version = keyVersion === undefined ? {} : { version: keyVersion };
      if (code === undefined || code === 'integrity_failed') {
        lastOk = now();
        // Cloud KMS checks the permission before it rejects the bytes, so this server has the permission to
        // decrypt.
        const ofWhole = refusals.get(idOf({ operation, key }));
        if (ofWhole !== undefined && (code === undefined || refusedWith(ofWhole.reason) === 'key'))
          refusals.delete(idOf({ operation, key }));
        if (code !== undefined) return;
        const used = { operation, key, ...version };
        refusals.delete(idOf(used));
        successes.set(idOf(used), used);
      } else if (refusedWith(code) === 'version') {
        refuse({ operation, key, ...version }, code);
      } else if (refusedWith(code) === 'key') {
        // A server that only decrypts payloads needs no permission to encrypt.
        if (operation === 'decrypt' || code !== 'permission_denied') refuse({ operation, key }, code);
      }
    },
  };
  return {
    observer: log === undefined ? observer : combineObservers(observer, outagesOnly(log)),
    last: () => {
      const refused = [...refusals.values()];
      const works = [...successes.values()].some(({ operation }) => operation === 'decrypt');
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

/**
 * Logs outages of Cloud KMS and the branch-key store. Other events are in the requests' own log lines,
 * because callers could cause any number of them.
 */
function outagesOnly(log: Logger): Observer {
  const all = outageObserver(writeToLog(log));
  return {
    kmsCall: (call) => all.kmsCall?.(call),
    branchKeyStoreFailed: (event) => all.branchKeyStoreFailed?.(event),
    branchKeyStoreRecovered: (event) => all.branchKeyStoreRecovered?.(event),
  };
}

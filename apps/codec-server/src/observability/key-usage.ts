import {
  countReason,
  countReasons,
  type KeyUse,
  type NamespaceKeys,
  type ReasonCode,
  type ReasonCounts,
} from '@temporal-kms/codec-api';
import type { Observer } from '@temporal-kms/kms-codec';
import { LRUCache } from 'lru-cache';

type Outcomes = NamespaceKeys['outcomes'];
type Minute = NamespaceKeys['minutes'][number];
type Failure = NamespaceKeys['failures'][number];

export interface VersionUsage {
  payloads: number;
  /** Milliseconds since 1970. */
  last: number;
}

/** Maximum number of versions per key, because forged messages can name any version. */
const MAX_VERSIONS = 1_000;
const MAX_FAILURES = 50;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Counts the operations in one namespace since the process started. */
export class NamespaceUsage {
  #done = 0;
  #notEncrypted = 0;
  readonly #refused: ReasonCounts = {};
  readonly #dataKeys = { hit: 0, stale: 0, miss: 0, joined: 0 };
  /** Counts by key, then by version. Payloads that name no version are counted under version 0. */
  readonly #versions = new Map<string, Map<number, VersionUsage>>();
  #versionCount = 0;
  /** Newest first. */
  #failures: Failure[] = [];
  readonly #minutes = new Map<number, { done: number; refused: ReasonCounts }>();

  /** Counts payloads that were encrypted or decrypted under a key. */
  done(key: KeyUse | undefined, payloads: number, now: number): void {
    this.#done += payloads;
    this.#minute(now).done += payloads;
    if (key?.name === undefined) return;
    const usage =
      this.#versions.get(key.name)?.get(key.version ?? 0) ?? this.#addVersion(key.name, key.version ?? 0);
    if (usage === undefined) return;
    usage.payloads += payloads;
    usage.last = now;
  }

  /**
   * Counts a payload that could not be encrypted or decrypted, but not a payload that Temporal no longer has, such as
   * the failure of an earlier attempt. A missing payload does not indicate a problem with a key.
   */
  refused(reason: ReasonCode, where: Omit<Failure, 'time' | 'reason'>, now: number): void {
    if (reason === 'event_not_found') return;
    countReason(this.#refused, reason);
    countReason(this.#minute(now).refused, reason);
    const failure = { time: new Date(now).toISOString(), reason, ...where };
    this.#failures = [failure, ...this.#failures.slice(0, MAX_FAILURES - 1)];
  }

  notEncrypted(): void {
    this.#notEncrypted += 1;
  }

  dataKey(outcome: keyof Outcomes['dataKeys']): void {
    this.#dataKeys[outcome] += 1;
  }

  /** Returns the counts for a version or, if the version is undefined, for payloads that name no version. */
  ofVersion(key: string, version: number | undefined): Readonly<VersionUsage> | undefined {
    return this.#versions.get(key)?.get(version ?? 0);
  }

  /** Returns the versions of a key under which payloads were encrypted or decrypted. */
  versionsOf(key: string): number[] {
    return [...(this.#versions.get(key)?.keys() ?? [])].filter((version) => version > 0);
  }

  outcomes(): Omit<Outcomes, 'kmsCalls'> {
    return {
      done: this.#done,
      refused: { ...this.#refused },
      notEncrypted: this.#notEncrypted,
      dataKeys: { ...this.#dataKeys },
    };
  }

  /** Returns the last 50 failures, newest first. */
  failures(): Failure[] {
    return [...this.#failures];
  }

  /** Returns the counts for each minute of the last hour, except minutes without counts. */
  minutes(now: number): Minute[] {
    this.#removeOld(now);
    return [...this.#minutes].map(([time, counts]) => ({
      time: new Date(time).toISOString(),
      done: counts.done,
      refused: { ...counts.refused },
    }));
  }

  #addVersion(key: string, version: number): VersionUsage | undefined {
    if (this.#versionCount >= MAX_VERSIONS) return undefined;
    this.#versionCount += 1;
    let versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, (versions = new Map()));
    const usage = { payloads: 0, last: 0 };
    versions.set(version, usage);
    return usage;
  }

  #minute(now: number): { done: number; refused: ReasonCounts } {
    const time = now - (now % MINUTE);
    const known = this.#minutes.get(time);
    if (known !== undefined) return known;
    this.#removeOld(now);
    const added = { done: 0, refused: {} };
    this.#minutes.set(time, added);
    return added;
  }

  #removeOld(now: number): void {
    for (const time of this.#minutes.keys()) if (time <= now - HOUR) this.#minutes.delete(time);
  }
}

type KmsCalls = Outcomes['kmsCalls'];

/** Counts the use of keys by namespace since the process started. */
export interface KeyUsage {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Counts the codec's operations. (`withUsageCounting` counts the callers' operations.) */
  readonly observer: Observer;
  of(namespace: string): NamespaceUsage;
  /** Returns the number of Cloud KMS calls that used these keys. */
  calls(keys: readonly string[]): KmsCalls;
}

const MAX_NAMESPACES = 1_024;
const MAX_KEYS = 4_096;

export function createKeyUsage(): KeyUsage {
  const namespaces = new LRUCache<string, NamespaceUsage>({
    max: MAX_NAMESPACES,
    memoMethod: () => new NamespaceUsage(),
  });
  const of = (namespace: string): NamespaceUsage => namespaces.memo(namespace);
  const calls = new LRUCache<string, { total: number; failed: ReasonCounts }>({
    max: MAX_KEYS,
    memoMethod: () => ({ total: 0, failed: {} }),
  });

  return {
    since: Date.now(),
    of,
    observer: {
      notEncrypted: ({ namespace }) => of(namespace).notEncrypted(),
      dataKeyLookup: ({ namespace, outcome }) => of(namespace).dataKey(outcome),
      kmsCall: ({ operation, key, code }) => {
        // The server describes keys for its own pages, not for payloads, so these calls are not counted.
        if (operation === 'describe') return;
        const counts = calls.memo(key);
        counts.total += 1;
        if (code !== undefined) countReason(counts.failed, code);
      },
    },
    calls: (keys) => {
      const sum: { total: number; failed: ReasonCounts } = { total: 0, failed: {} };
      for (const key of keys) {
        const { total, failed } = calls.get(key) ?? { total: 0, failed: {} };
        sum.total += total;
        countReasons(sum.failed, failed);
      }
      return sum;
    },
  };
}

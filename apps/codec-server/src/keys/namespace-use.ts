import type { KeyUse, NamespaceKeys, ReasonCode, ReasonCounts } from '@temporal-kms/codec-api';
import { count } from '../reason-counts.ts';
import { Recent } from './recent.ts';

type Outcomes = NamespaceKeys['outcomes'];
type Minute = NamespaceKeys['minutes'][number];
type Failure = NamespaceKeys['failures'][number];

export interface Seen {
  payloads: number;
  /** Milliseconds since 1970. */
  last: number;
}

/** Versions are numbers that a message names; a forger must not fill the memory with them. */
const MAX_VERSIONS = 1_000;
const MAX_FAILURES = 50;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What was done in one namespace since the process started. */
export class NamespaceUse {
  #done = 0;
  #notEncrypted = 0;
  readonly #refused: ReasonCounts = {};
  readonly #dataKeys = { hit: 0, miss: 0, joined: 0 };
  /** By key, then by version, 0 where none was named. */
  readonly #seen = new Map<string, Map<number, Seen>>();
  #versions = 0;
  readonly #failures = new Recent<Failure>(MAX_FAILURES);
  readonly #minutes = new Map<number, { done: number; refused: ReasonCounts }>();

  done(key: KeyUse | undefined, payloads: number, now: number): void {
    this.#done += payloads;
    this.#minute(now).done += payloads;
    if (key?.name === undefined) return;
    const seen =
      this.#seen.get(key.name)?.get(key.version ?? 0) ?? this.#firstSeen(key.name, key.version ?? 0);
    if (seen === undefined) return;
    seen.payloads += payloads;
    seen.last = now;
  }

  refused(reason: ReasonCode, where: Omit<Failure, 'time' | 'reason'>, now: number): void {
    count(this.#refused, reason);
    count(this.#minute(now).refused, reason);
    this.#failures.add({ time: new Date(now).toISOString(), reason, ...where });
  }

  notEncrypted(): void {
    this.#notEncrypted += 1;
  }

  dataKey(outcome: keyof Outcomes['dataKeys']): void {
    this.#dataKeys[outcome] += 1;
  }

  seen(key: string, version: number | undefined): Readonly<Seen> | undefined {
    return this.#seen.get(key)?.get(version ?? 0);
  }

  /** The versions of a key that payloads were opened or sealed under. */
  versionsOf(key: string): number[] {
    return [...(this.#seen.get(key)?.keys() ?? [])].filter((version) => version > 0);
  }

  outcomes(): Omit<Outcomes, 'kmsCalls'> {
    return {
      done: this.#done,
      refused: { ...this.#refused },
      notEncrypted: this.#notEncrypted,
      dataKeys: { ...this.#dataKeys },
    };
  }

  failures(): Failure[] {
    return [...this.#failures.all];
  }

  minutes(now: number): Minute[] {
    this.#forget(now);
    return [...this.#minutes].map(([time, counts]) => ({
      time: new Date(time).toISOString(),
      done: counts.done,
      refused: { ...counts.refused },
    }));
  }

  #firstSeen(key: string, version: number): Seen | undefined {
    if (this.#versions >= MAX_VERSIONS) return undefined;
    this.#versions += 1;
    let versions = this.#seen.get(key);
    if (versions === undefined) this.#seen.set(key, (versions = new Map()));
    const seen = { payloads: 0, last: 0 };
    versions.set(version, seen);
    return seen;
  }

  #minute(now: number): { done: number; refused: ReasonCounts } {
    const time = now - (now % MINUTE);
    const known = this.#minutes.get(time);
    if (known !== undefined) return known;
    this.#forget(now);
    const begun = { done: 0, refused: {} };
    this.#minutes.set(time, begun);
    return begun;
  }

  #forget(now: number): void {
    for (const time of this.#minutes.keys()) if (time <= now - HOUR) this.#minutes.delete(time);
  }
}

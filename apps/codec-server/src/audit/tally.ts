import type { AuditEntry, KeyUse, ReasonCode, ReasonCounts } from '@temporal-kms/codec-api';
import { count } from '../reason-counts.ts';

/** Keys that one line names; a search over a long history may have met more. */
const MAX_KEYS = 32;

/** Counts by key and by code, so that a line's length depends on how many keys there are, not on how many payloads. */
export class Tally {
  #payloads = 0;
  readonly #keys: { readonly key: KeyUse; payloads: number }[] = [];
  readonly #codes: ReasonCounts = {};

  done(key: KeyUse | undefined, payloads: number): void {
    this.#payloads += payloads;
    if (key !== undefined) this.#used(key, payloads);
  }

  refused(code: ReasonCode, key: KeyUse | undefined): void {
    count(this.#codes, code);
    if (key !== undefined) this.#used(key, 0);
  }

  summary(): Omit<NonNullable<AuditEntry['outcome']>, 'result'> {
    return {
      payloads: this.#payloads,
      keys: this.#keys.map(({ key, payloads }) => ({ name: key.name, version: key.version, payloads })),
      refused: this.#codes,
    };
  }

  #used(key: KeyUse, payloads: number): void {
    const known = this.#keys.find((one) => one.key.name === key.name && one.key.version === key.version);
    if (known !== undefined) known.payloads += payloads;
    else if (this.#keys.length < MAX_KEYS) this.#keys.push({ key, payloads });
    else if (payloads > 0) this.#replaceRefused({ key, payloads });
  }

  /** What a message names is a claim; keys that opened something come before those that only refused messages name. */
  #replaceRefused(used: { readonly key: KeyUse; payloads: number }): void {
    const refused = this.#keys.findIndex(({ payloads }) => payloads === 0);
    if (refused >= 0) this.#keys[refused] = used;
  }
}

import type { AuditEntry, KeyUse, ReasonCode } from '@temporal-kms/codec-api';

/** Keys that one line names; a search over a long history may have met more. */
const MAX_KEYS = 32;

/** Counts by key and by code, so that a line's length depends on how many keys there are, not on how many payloads. */
export class Tally {
  #payloads = 0;
  readonly #keys = new Map<string, { readonly key: KeyUse; payloads: number }>();
  readonly #codes: Partial<Record<ReasonCode, number>> = {};

  done(key: KeyUse | undefined, payloads: number): void {
    this.#payloads += payloads;
    if (key === undefined) return;
    const name = `${key.name ?? ''} ${key.version ?? ''}`;
    const known = this.#keys.get(name);
    if (known !== undefined) known.payloads += payloads;
    else if (this.#keys.size < MAX_KEYS) this.#keys.set(name, { key, payloads });
  }

  refused(code: ReasonCode): void {
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
  }

  summary(): Omit<NonNullable<AuditEntry['outcome']>, 'result'> {
    return {
      payloads: this.#payloads,
      keys: [...this.#keys.values()].map(({ key, payloads }) => ({ ...key, payloads })),
      refused: this.#codes,
    };
  }
}

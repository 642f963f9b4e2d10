import { alreadyExists, notFound } from './errors.ts';
import {
  advanceKey,
  nextEvent,
  versionOf,
  type CryptoKey,
  type Delays,
  type MaterialSource,
} from './crypto-key.ts';
import type { KeyVersion } from './key-version.ts';
import { parseCryptoKey, parseVersion } from './names.ts';

export interface KeyRing {
  readonly name: string;
  readonly createTime: number;
}

/** All key rings and keys of one emulator. This class has no clock, so callers pass the time. */
export class KeySpace {
  readonly #rings = new Map<string, KeyRing>();
  readonly #keys = new Map<string, CryptoKey>();
  readonly #changed: () => void;
  #due = -Infinity;

  /** @param changed called after every change, so that the state can be saved */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  /** Reports that a key ring, a key or a version was changed in place. */
  touch(): void {
    this.#due = -Infinity;
    this.#changed();
  }

  addKeyRing(ring: KeyRing): KeyRing {
    if (this.#rings.has(ring.name)) throw alreadyExists('KeyRing', ring.name);
    this.#rings.set(ring.name, ring);
    this.touch();
    return ring;
  }

  addCryptoKey(key: CryptoKey): CryptoKey {
    this.keyRing(parseCryptoKey(key.name).parent);
    if (this.#keys.has(key.name)) throw alreadyExists('CryptoKey', key.name);
    this.#keys.set(key.name, key);
    this.touch();
    return key;
  }

  keyRing(name: string): KeyRing {
    const ring = this.#rings.get(name);
    if (ring === undefined) throw notFound('KeyRing', name);
    return ring;
  }

  cryptoKey(name: string): CryptoKey {
    const key = this.#keys.get(name);
    if (key === undefined) throw notFound('CryptoKey', name);
    return key;
  }

  version(name: string): { readonly key: CryptoKey; readonly version: KeyVersion } {
    const { parent, number } = parseVersion(name);
    const key = this.#keys.get(parent);
    if (key === undefined) throw notFound('CryptoKeyVersion', name);
    return { key, version: versionOf(key, number) };
  }

  has(name: string): boolean {
    return this.#rings.has(name) || this.#keys.has(name);
  }

  /** Returns the key rings of a location, sorted by name as in ListKeyRings. */
  keyRingsIn(location: string): KeyRing[] {
    return sorted(this.#rings.values(), `${location}/keyRings/`);
  }

  /** Returns the keys of a ring, sorted by name. */
  cryptoKeysIn(ring: string): CryptoKey[] {
    return sorted(this.#keys.values(), `${ring}/cryptoKeys/`);
  }

  all(): { readonly rings: KeyRing[]; readonly keys: CryptoKey[] } {
    return { rings: sorted(this.#rings.values(), ''), keys: sorted(this.#keys.values(), '') };
  }

  /** Performs the rotations, key generations and destructions that are due. */
  advance(now: number, source: MaterialSource, delays: Delays): void {
    if (now < this.#due) return;
    let changed = false;
    for (const key of this.#keys.values()) changed = advanceKey(key, now, source, delays) || changed;
    if (changed) this.#changed();
    this.#due = Math.min(Infinity, ...[...this.#keys.values()].map(nextEvent));
  }
}

function sorted<T extends { readonly name: string }>(values: Iterable<T>, prefix: string): T[] {
  return [...values]
    .filter(({ name }) => name.startsWith(prefix))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

import type { MaterialSource } from '../model/crypto-key.ts';
import { createVersion, makePrimary } from '../model/crypto-key.ts';
import { parseCryptoKey } from '../model/names.ts';
import type { State } from '../model/state.ts';
import { newKey } from './new-key.ts';

/** Creates the keys that are missing, and their rings, as CreateCryptoKey would with its defaults. */
export function seedKeys(state: State, names: readonly string[], now: number, source: MaterialSource): void {
  for (const { name, parent } of names.map(parseCryptoKey)) {
    if (!state.keys.has(parent)) state.keys.addKeyRing({ name: parent, createTime: now });
    if (state.keys.has(name)) continue;
    const key = newKey(name, { purpose: 'ENCRYPT_DECRYPT' }, now);
    makePrimary(key, createVersion(key, now, source, 0).number, now, 0);
    state.keys.addCryptoKey(key);
  }
}

import type { KeyRules } from '@temporal-kms/kms-codec';

/** Represents all namespaces that have no rule. No namespace can have this name. */
const OTHERS = '*';

/** A crypto key, and the namespaces for which the configuration uses the key. */
export interface KeyUse {
  readonly key: string;
  readonly encryptsFor: readonly string[];
  readonly decryptsFor: readonly string[];
}

/** Returns every crypto key of a configuration, in the order of the configuration's namespaces. */
export function keyUses(rules: KeyRules): KeyUse[] {
  const uses = new Map<string, { encryptsFor: string[]; decryptsFor: string[] }>();
  const namespaces = [...rules.namespaces, ...(rules.hasDefault ? [OTHERS] : [])];
  for (const namespace of namespaces) {
    const { encrypt, keys } = rules.resolve(namespace);
    for (const key of keys) {
      const use = uses.get(key) ?? { encryptsFor: [], decryptsFor: [] };
      uses.set(key, use);
      (key === encrypt ? use.encryptsFor : use.decryptsFor).push(namespace);
    }
  }
  return [...uses].map(([key, use]) => ({ key, ...use }));
}

/** Whether a configuration uses a key for namespaces that the configuration does not name. */
export const servesOthers = (rules: KeyRules, key: string): boolean =>
  keyUses(rules).some((use) => use.key === key && [...use.encryptsFor, ...use.decryptsFor].includes(OTHERS));

/** Describes in words for which namespaces a key is used. */
export function useText({ encryptsFor, decryptsFor }: KeyUse): string {
  return [
    ...(encryptsFor.length > 0 ? [`encrypts and decrypts for ${names(encryptsFor)}`] : []),
    ...(decryptsFor.length > 0 ? [`decrypts for ${names(decryptsFor)}`] : []),
  ].join('; ');
}

const names = (namespaces: readonly string[]): string =>
  namespaces.length === 1 && namespaces[0] === OTHERS
    ? 'every namespace'
    : namespaces.map((name) => (name === OTHERS ? 'every other namespace' : name)).join(', ');

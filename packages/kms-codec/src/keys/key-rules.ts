import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KmsCodecError } from '../errors.ts';
import { findMixedFormats, type UnsafeSetting } from './mixed-formats.ts';

/** The formats that seal; `reads` lists those that a namespace accepts. */
export const sealedFormats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'] as const;
export type SealedFormat = (typeof sealedFormats)[number];

/** What happens to a payload that this codec didn't seal. */
export type PlaintextRule = 'pass' | 'report' | 'refuse';

/** What one namespace may be sealed with and opened with. */
export interface NamespaceRule {
  /** Crypto key resource name; absent where this process only decrypts. */
  readonly encrypt?: string | undefined;
  /** Further crypto keys that may decrypt, in the order in which they are tried. */
  readonly decrypt?: readonly string[] | undefined;
  /** Other namespaces whose messages it may read. */
  readonly accepts?: readonly string[] | undefined;
  /** Default `[envelope-v2]`. */
  readonly reads?: readonly SealedFormat[] | undefined;
  /** Default `report`. */
  readonly plaintext?: PlaintextRule | undefined;
  /** Keys of the samples' static format by key id. */
  readonly static?: ReadonlyMap<string, KeyObject> | undefined;
  /**
   * Risks that are accepted by name. `direct-with-envelope`: reads `envelope` or `proxy` under a crypto key under which
   * `direct` is read as well, so that messages can be forged (docs/security-model.md).
   */
  readonly unsafe?: readonly UnsafeSetting[] | undefined;
}

/** A namespace's rule with its defaults filled in. */
export interface ResolvedRule {
  readonly namespace: string;
  readonly encrypt: string | undefined;
  /** Every crypto key that may be sent to Cloud KMS for this namespace, the encrypting one first. */
  readonly keys: readonly string[];
  readonly accepts: readonly string[];
  readonly reads: ReadonlySet<SealedFormat>;
  readonly plaintext: PlaintextRule;
  readonly static: ReadonlyMap<string, KeyObject>;
}

/** Which keys belong to which namespace: the allow-list. A key that isn't in it is never sent to Cloud KMS. */
export class KeyRules {
  readonly #rules: ReadonlyMap<string, NamespaceRule>;
  readonly #default: NamespaceRule | undefined;
  // Bounded, since names come from requests as well.
  readonly #resolved = new LRUCache<string, ResolvedRule>({ max: 1_024 });

  /** @throws Error when a rule combines formats in an unsafe way and does not say so in `unsafe` */
  constructor(namespaces: Readonly<Record<string, NamespaceRule>>, defaultRule?: NamespaceRule) {
    this.#rules = new Map(Object.entries(namespaces));
    this.#default = defaultRule;
    const mixed = findMixedFormats(this.#rules, defaultRule).map(
      ({ namespace, message }) => `  ${namespace ?? 'default'}: reads ${message}`,
    );
    if (mixed.length > 0) throw new Error(`The key rules are unsafe:\n${mixed.join('\n')}`);
  }

  /** The namespaces that are named; a default may cover others. */
  get namespaces(): readonly string[] {
    return [...this.#rules.keys()];
  }

  get hasDefault(): boolean {
    return this.#default !== undefined;
  }

  isNamed(namespace: string): boolean {
    return this.#rules.has(namespace);
  }

  /** Whether there is a rule, its own or the default. */
  covers(namespace: string): boolean {
    return this.hasDefault || this.isNamed(namespace);
  }

  /** Whether messages of it may be opened: it is covered, or another namespace accepts them. */
  opens(namespace: string): boolean {
    return (
      this.covers(namespace) ||
      [...this.#rules.values()].some(({ accepts }) => accepts?.includes(namespace) === true)
    );
  }

  /** @throws `namespace_not_configured` */
  resolve(namespace: string): ResolvedRule {
    const known = this.#resolved.get(namespace);
    if (known) return known;
    const rule = this.#rules.get(namespace) ?? this.#default;
    if (!rule) {
      throw new KmsCodecError(
        'namespace_not_configured',
        `No key is configured for the namespace ${namespace}`,
      );
    }
    const keys = new Set([...(rule.encrypt ? [rule.encrypt] : []), ...(rule.decrypt ?? [])]);
    const resolved: ResolvedRule = {
      namespace,
      encrypt: rule.encrypt,
      keys: [...keys],
      accepts: rule.accepts ?? [],
      reads: new Set(rule.reads ?? ['envelope-v2']),
      plaintext: rule.plaintext ?? 'report',
      static: rule.static ?? new Map(),
    };
    this.#resolved.set(namespace, resolved);
    return resolved;
  }
}

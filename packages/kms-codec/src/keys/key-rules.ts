import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { KmsConfigurationError } from '../configuration-error.ts';
import { keyId } from '../crypto/tags.ts';
import { KmsCodecError } from '../errors.ts';
import { WRAPPED_KEY_HASH, wrappedKeyHash } from '../crypto/wrapped-key.ts';

/** The formats of encrypted payloads. */
export type EncryptedFormat = 'envelope-v2' | 'envelope' | 'direct' | 'proxy' | 'static';

/** Every {@link EncryptedFormat}. */
export const encryptedFormats = [
  'envelope-v2',
  'envelope',
  'direct',
  'proxy',
  'static',
] as const satisfies readonly EncryptedFormat[];

/** The risks that a rule can accept by name, in its field `unsafe`. */
export const unsafeSettings = ['direct-with-envelope'] as const;
type UnsafeSetting = (typeof unsafeSettings)[number];

/**
 * What to do with a payload that this codec did not encrypt. With `report`, the payload passes and the
 * observer is notified.
 */
export type PlaintextRule = 'pass' | 'report' | 'refuse';

/** The keys and formats of one namespace. */
export interface NamespaceRule {
  /** Resource name of the crypto key that encrypts. If absent, this process only decrypts. */
  readonly encrypt?: string | undefined;
  /** Other crypto keys for decryption, in the order in which the codec tries them. */
  readonly decrypt?: readonly string[] | undefined;
  /** Other namespaces whose messages this namespace may read. */
  readonly accepts?: readonly string[] | undefined;
  /** The formats that this namespace may read. Default `[envelope-v2]`. */
  readonly reads?: readonly EncryptedFormat[] | undefined;
  /** What to do with plaintext. Default `report`. */
  readonly plaintext?: PlaintextRule | undefined;
  /** Keys of the format `static`, by key id. */
  readonly static?: ReadonlyMap<string, KeyObject> | undefined;
  /**
   * With `require`, the codec reads and writes only messages with a workflow tag. By default, a workflow tag
   * is optional.
   */
  readonly workflowTag?: 'require' | undefined;
  /**
   * The accepted risks. `direct-with-envelope` means that this rule reads `envelope` or `proxy` with a crypto
   * key that any rule also uses to read `direct`, so messages can be forged (docs/security-model.md).
   */
  readonly unsafe?: readonly UnsafeSetting[] | undefined;
}

/** A namespace's rule, with defaults filled in. */
export interface ResolvedRule {
  readonly namespace: string;
  readonly encrypt: string | undefined;
  /**
   * All crypto keys with which Cloud KMS may be called for this namespace. The encryption key comes first.
   */
  readonly keys: readonly string[];
  readonly accepts: readonly string[];
  readonly reads: ReadonlySet<EncryptedFormat>;
  readonly plaintext: PlaintextRule;
  readonly static: ReadonlyMap<string, KeyObject>;
  readonly workflowTag: 'require' | undefined;
}

/** An allow-list of the crypto keys of each namespace. Cloud KMS is never called with an unlisted key. */
export class KeyRules {
  readonly #rules: ReadonlyMap<string, NamespaceRule>;
  readonly #default: NamespaceRule | undefined;
  readonly #deny: ReadonlySet<string>;
  // The size is limited, because namespaces also come from requests.
  readonly #resolved = new LRUCache<string, ResolvedRule>({ max: 1_024 });

  /**
   * @param defaultRule the rule for all namespaces that have no separate rule
   * @param deny hashes of wrapped keys that no namespace may use (see {@link KeyRules.denies})
   * @throws KmsConfigurationError if the rules are unsafe or ambiguous
   */
  constructor(
    namespaces: Readonly<Record<string, NamespaceRule>>,
    defaultRule?: NamespaceRule,
    deny: Iterable<string> = [],
  ) {
    this.#rules = new Map(Object.entries(namespaces));
    this.#default = defaultRule;
    this.#deny = new Set(deny);
    const mistakes = findRuleMistakes(this.#rules, defaultRule).map(
      ({ namespace, field, message }) => `  ${namespace ?? 'default'}: ${field} ${message}`,
    );
    for (const hash of this.#deny)
      if (!WRAPPED_KEY_HASH.test(hash)) mistakes.push(`  deny: ${hash} is not a SHA-256 in lowercase hex`);
    if (mistakes.length > 0)
      throw new KmsConfigurationError(`The key rules are wrong:\n${mistakes.join('\n')}`);
  }

  /** The namespaces that have a rule other than the default. */
  get namespaces(): readonly string[] {
    return [...this.#rules.keys()];
  }

  /** The crypto keys of all rules, without duplicates. */
  get keys(): readonly string[] {
    const rules = [...this.#rules.values(), ...(this.#default ? [this.#default] : [])];
    return [
      ...new Set(rules.flatMap(({ encrypt, decrypt = [] }) => [...(encrypt ? [encrypt] : []), ...decrypt])),
    ];
  }

  /** The hashes of the wrapped keys that {@link denies} refuses. */
  get deny(): readonly string[] {
    return [...this.#deny];
  }

  /**
   * Returns whether a wrapped branch key or data key is on the deny-list, which contains keys that an
   * attacker may know.
   */
  denies(wrapped: Uint8Array): boolean {
    return this.#deny.size > 0 && this.#deny.has(wrappedKeyHash(wrapped));
  }

  get hasDefault(): boolean {
    return this.#default !== undefined;
  }

  /** Returns whether the namespace has a rule other than the default. */
  isNamed(namespace: string): boolean {
    return this.#rules.has(namespace);
  }

  /** Returns whether the namespace has a rule, which can be the default rule. */
  covers(namespace: string): boolean {
    return this.hasDefault || this.isNamed(namespace);
  }

  /**
   * Returns whether the namespace's messages can be decrypted. This requires a rule for the namespace, or
   * another namespace that accepts its messages.
   */
  canDecrypt(namespace: string): boolean {
    return (
      this.covers(namespace) ||
      [...this.#rules.values()].some(({ accepts }) => accepts?.includes(namespace) === true)
    );
  }

  /**
   * Returns a namespace's rule, with defaults filled in.
   * @throws KmsCodecError `namespace_not_configured`
   */
  resolve(namespace: string): ResolvedRule {
    const known = this.#resolved.get(namespace);
    if (known) return known;
    const rule = this.#rules.get(namespace) ?? this.#default;
    if (!rule) {
      throw new KmsCodecError(
        'namespace_not_configured',
        `No crypto key is configured for the namespace ${namespace}; add a rule for it to the keys file`,
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
      workflowTag: rule.workflowTag,
    };
    this.#resolved.set(namespace, resolved);
    return resolved;
  }
}

/**
 * Formats whose data key Cloud KMS wraps without additional authenticated data, just as it encrypts a direct
 * message.
 */
const withUnboundDataKey: readonly EncryptedFormat[] = ['envelope', 'proxy'];

/** A mistake that makes a rule unsafe or ambiguous. */
export interface RuleMistake {
  /** The namespace of the rule; undefined for the default rule. */
  readonly namespace: string | undefined;
  readonly field: 'encrypt' | 'decrypt' | 'reads';
  readonly message: string;
}

type Rules = readonly (readonly [namespace: string | undefined, rule: NamespaceRule])[];

/**
 * Returns the mistakes that a check of individual fields cannot find: two names for one key, one id for two
 * keys, `direct` together with `envelope`, and formats without a workflow tag in a rule that requires
 * workflow tags.
 * @param idOf returns a crypto key's id in headers; only tests replace it, because real ids do not collide by
 *   chance
 */
export function findRuleMistakes(
  namespaces: Iterable<readonly [string, NamespaceRule]>,
  defaultRule: NamespaceRule | undefined,
  idOf: (cryptoKey: string) => Uint8Array = keyId,
): readonly RuleMistake[] {
  const rules: Rules = [...namespaces, ...(defaultRule ? [[undefined, defaultRule] as const] : [])];
  return [
    ...findDoubleNames(rules),
    ...findCollidingIds(rules, idOf),
    ...findMixedFormats(rules),
    ...findUntaggedFormats(rules),
  ];
}

const isNumbered = (key: string) => /^projects\/\d+\//.test(key);
const withoutProject = (key: string) => key.replace(/^projects\/[^/]+/, '');

/**
 * Finds rules that name a crypto key by its project's number, while some rule names the same key by its
 * project's id. Cloud KMS accepts both names. However, messages contain a hash of the name, so caches, scans
 * and headers would treat the two names as different keys.
 */
function findDoubleNames(rules: Rules): RuleMistake[] {
  const keys = rules.flatMap(([, rule]) => keysOf(rule));
  const named = new Map(keys.filter((key) => !isNumbered(key)).map((key) => [withoutProject(key), key]));
  return rules.flatMap(([namespace, rule]) => {
    const key = keysOf(rule).find((one) => isNumbered(one) && named.has(withoutProject(one)));
    if (key === undefined) return [];
    const message =
      `names ${key} by its project's number, but ${named.get(withoutProject(key))} by a project id: if both are ` +
      'the same key, messages under one name cannot be read under the other. Name every project by its id ' +
      '(gcloud projects describe NUMBER)';
    return [{ namespace, field: key === rule.encrypt ? 'encrypt' : 'decrypt', message }];
  });
}

/**
 * Finds rules with a crypto key that has the same id in headers as another key. A reader would call Cloud KMS
 * with the key that is listed first, and a scan might report a key that the message does not need.
 */
function findCollidingIds(rules: Rules, idOf: (cryptoKey: string) => Uint8Array): RuleMistake[] {
  const first = new Map<string, string>();
  const idText = (key: string) => Buffer.from(idOf(key)).toString('hex');
  for (const key of rules.flatMap(([, rule]) => keysOf(rule)))
    if (!first.has(idText(key))) first.set(idText(key), key);
  return rules.flatMap(([namespace, rule]) => {
    const key = keysOf(rule).find((one) => first.get(idText(one)) !== one);
    if (key === undefined) return [];
    const message =
      `names ${key}, but its id in messages, ${idText(key)}, is also the id of ${first.get(idText(key))}: readers could not ` +
      'tell which of the two keys a message needs. Use a key with another name';
    return [{ namespace, field: key === rule.encrypt ? 'encrypt' : 'decrypt', message }];
  });
}

/** Finds rules that require workflow tags but read a format without workflow tags. */
function findUntaggedFormats(rules: Rules): RuleMistake[] {
  return rules.flatMap(([namespace, { workflowTag, reads = [] }]) => {
    const format = reads.find((candidate) => candidate !== 'envelope-v2');
    if (workflowTag === undefined || format === undefined) return [];
    const message =
      `contains ${format}, whose messages have no workflow tag, but workflowTag: require refuses messages without a tag. ` +
      'Read only envelope-v2, or remove workflowTag until no history needs the older format';
    return [{ namespace, field: 'reads', message }];
  });
}

/**
 * Finds rules that read `envelope` or `proxy` with a crypto key that any rule also uses to read `direct`,
 * unless the rule accepts the risk. With such rules, anyone who gets 32 known bytes encrypted as a direct
 * message can forge messages.
 */
function findMixedFormats(rules: Rules): RuleMistake[] {
  const readingDirect = new Map<string, string | undefined>();
  for (const [namespace, rule] of rules) {
    if (!rule.reads?.includes('direct')) continue;
    for (const key of keysOf(rule)) readingDirect.set(key, namespace);
  }
  return rules.flatMap(([namespace, rule]) => {
    const format = withUnboundDataKey.find((candidate) => rule.reads?.includes(candidate));
    if (format === undefined || rule.unsafe?.includes('direct-with-envelope')) return [];
    const key = keysOf(rule).find((candidate) => readingDirect.has(candidate));
    if (key === undefined) return [];
    const isSameRule = rule.reads?.includes('direct') && keysOf(rule).includes(key);
    const other = isSameRule ? 'this rule' : nameOfRule(readingDirect.get(key));
    const message =
      `contains ${format}, but ${other} reads direct under the same key ${key}: a direct message of 32 bytes can be ` +
      'passed off as a data key, with which messages can be forged. Use another key, read only one of the two formats, or ' +
      'accept the risk with unsafe: [direct-with-envelope]';
    return [{ namespace, field: 'reads', message }];
  });
}

const nameOfRule = (namespace: string | undefined) =>
  namespace === undefined ? 'the default rule' : `the namespace ${namespace}`;

const keysOf = ({ encrypt, decrypt = [] }: NamespaceRule): readonly string[] =>
  encrypt === undefined ? decrypt : [encrypt, ...decrypt];

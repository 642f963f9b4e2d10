import { LRUCache } from 'lru-cache';
import type { CallOptions, PlaintextBudget } from '../call-options.ts';
import type { CodecContext, KmsCodecOptions } from '../codec-options.ts';
import { namespaceTag } from '../crypto/tags.ts';
import type { DataKeys } from '../keys/data-keys.ts';
import type { DataKeyScope } from '../keys/scope-key.ts';
import type { KeyRules, ResolvedRule } from '../keys/key-rules.ts';
import type { WaitBudget } from '../keys/wait-budget.ts';
import { checkContext } from './check-payload.ts';
import type { ParsedMessage } from './parsed-message.ts';

/**
 * The namespace and workflow in which payloads are encoded or decoded, and what the keys file allows there.
 */
export interface Scope {
  readonly rule: ResolvedRule;
  /** Whether the configuration denies a wrapped key. */
  readonly denies: (wrapped: Uint8Array) => boolean;
  readonly accepted: readonly AcceptedNamespace[];
  /**
   * Returns the namespaces that have a rule, so that an error can name the namespace of a message that is not
   * accepted.
   */
  readonly otherNamespaces: () => readonly string[];
  /**
   * The scope of the data keys that encrypt; undefined if the rule only decrypts or the format has no data
   * keys.
   */
  readonly dataKeyScope: DataKeyScope | undefined;
  /** The parsed `envelope-v2` messages without their data, keyed by the first bytes of their salts. */
  readonly kept: Map<number, ParsedMessage>;
  /** The context's workflow id. A message with a workflow tag must be bound to this id. */
  readonly workflowId: string | undefined;
}

/** A namespace whose messages a scope reads, and the crypto keys that may have encrypted them. */
interface AcceptedNamespace {
  readonly namespace: string;
  readonly tag: Uint8Array;
  readonly keys: readonly string[];
}

/** One call of `encode` or `decode`: its scope, its keys, its limits and its caller's callbacks. */
export interface Call {
  readonly scope: Scope;
  readonly keys: DataKeys;
  readonly waitBudget: WaitBudget;
  /** Limits the plaintext in memory. The codec reserves bytes from this budget before it allocates them. */
  readonly budget: PlaintextBudget;
  /** Limit on one compressed payload's content after decompression, in bytes. */
  readonly maxDecompressedBytes: number;
  /**
   * What to do with a decrypted payload whose content is still encrypted or compressed, in a form that this
   * scope does not read.
   */
  readonly onUnreadableLayer: 'refuse' | 'pass';
  readonly options: CallOptions;
}

export type NamespaceScope = Omit<Scope, 'workflowId'>;

/** The scope of the previous call, and that call's namespace. */
interface LastScope {
  readonly namespace: string;
  readonly scope: NamespaceScope;
}

/** Resolves the scopes of a codec's calls, and caches the scopes of its namespaces. */
export class Scopes {
  readonly #options: Pick<KmsCodecOptions, 'rules' | 'namespace' | 'ignoreContext'>;
  readonly #dataKeyScope: (namespace: string, cryptoKey: string) => DataKeyScope | undefined;
  // The size is limited, because a namespace may come from a request.
  readonly #namespaces = new LRUCache<string, NamespaceScope>({ max: 1_024 });
  readonly #readable = new LRUCache<string, NamespaceScope>({ max: 1_024 });

  /**
   * The scopes of the previous encode and the previous decode. Consecutive calls are usually in the same
   * namespace.
   */
  readonly #last: { encrypt?: LastScope; decrypt?: LastScope } = {};

  /**
   * @param dataKeyScope returns the scope for data keys of a namespace and crypto key, or undefined if the
   *   format has no data keys
   */
  constructor(
    options: Pick<KmsCodecOptions, 'rules' | 'namespace' | 'ignoreContext'>,
    dataKeyScope: (namespace: string, cryptoKey: string) => DataKeyScope | undefined,
  ) {
    this.#options = options;
    this.#dataKeyScope = dataKeyScope;
  }

  /**
   * Returns the scope for encrypting payloads.
   * @throws KmsCodecError `namespace_not_configured`; `malformed` if the context has the wrong type
   */
  toEncrypt(context: CodecContext | undefined): Scope {
    return this.#resolve('encrypt', context);
  }

  /**
   * Returns the scope for decrypting payloads. If the codec has a namespace and no rule names the context's
   * namespace, the rule of the codec's namespace applies. A context alone therefore never lets the codec read
   * another namespace.
   * @throws KmsCodecError `namespace_not_configured`; `malformed` if the context has the wrong type
   */
  toDecrypt(context: CodecContext | undefined): Scope {
    return this.#resolve('decrypt', context);
  }

  /**
   * Returns the scope of the previous call of this kind, without its workflow, if that call was in the same
   * namespace.
   * @throws KmsCodecError `malformed` if the context has the wrong type
   */
  last(kind: 'encrypt' | 'decrypt', context: CodecContext | undefined): NamespaceScope | undefined {
    const namespace = this.#namespaceOf(context);
    const last = this.#last[kind];
    return last?.namespace === namespace ? last.scope : undefined;
  }

  #resolve(kind: 'encrypt' | 'decrypt', context: CodecContext | undefined): Scope {
    const known = this.last(kind, context);
    const workflowId = this.#options.ignoreContext ? undefined : context?.workflowId;
    if (known) return inWorkflow(known, workflowId);
    const namespace = this.#namespaceOf(context);
    const { rules, namespace: own } = this.#options;
    const isNamed = kind === 'encrypt' || own === undefined || rules.isNamed(namespace);
    const scope = isNamed ? this.#named(namespace) : this.#readAs(own, namespace);
    this.#last[kind] = { namespace, scope };
    return inWorkflow(scope, workflowId);
  }

  #namespaceOf(context: CodecContext | undefined): string {
    checkContext(context);
    const { ignoreContext, namespace: own } = this.#options;
    return (ignoreContext ? undefined : context?.namespace) ?? own ?? 'default';
  }

  #named(namespace: string): NamespaceScope {
    const known = this.#namespaces.get(namespace);
    if (known) return known;
    const { rules, namespace: own } = this.#options;
    const rule = rules.resolve(namespace);
    const byOwn = own === undefined ? [] : acceptedNamespaces(rules, rules.resolve(own));
    const accepted = joined([...acceptedNamespaces(rules, rule), ...byOwn]);
    const { encrypt } = rule;
    const scope = {
      rule,
      denies: (wrapped: Uint8Array) => rules.denies(wrapped),
      accepted,
      otherNamespaces: () => rules.namespaces,
      dataKeyScope: encrypt === undefined ? undefined : this.#dataKeyScope(namespace, encrypt),
      kept: new Map<number, ParsedMessage>(),
    };
    this.#namespaces.set(namespace, scope);
    return scope;
  }

  /** Returns the scope of the codec's own namespace, for a call in another namespace. */
  #readAs(own: string, namespace: string): NamespaceScope {
    this.#options.rules.resolve(namespace);
    const known = this.#readable.get(namespace);
    if (known) return known;
    const scope = this.#named(own);
    // Keeps the call's namespace, to which the caller's permissions and the observer's events refer.
    const readable = { ...scope, rule: { ...scope.rule, namespace } };
    this.#readable.set(namespace, readable);
    return readable;
  }
}

const inWorkflow = (
  { rule, denies, accepted, otherNamespaces, dataKeyScope, kept }: NamespaceScope,
  workflowId: string | undefined,
): Scope => ({ rule, denies, accepted, otherNamespaces, dataKeyScope, kept, workflowId });

/**
 * Merges the lists of namespaces that two rules accept (the rule of the call's namespace and the rule of the
 * codec's namespace), with the keys of each namespace.
 */
function joined(accepted: readonly AcceptedNamespace[]): readonly AcceptedNamespace[] {
  const byName = new Map<string, AcceptedNamespace>();
  for (const one of accepted) {
    const { keys } = byName.get(one.namespace) ?? one;
    byName.set(one.namespace, { ...one, keys: [...new Set([...keys, ...one.keys])] });
  }
  return [...byName.values()];
}

/**
 * Returns a rule's namespace and the namespaces in its `accepts`, for example a former name, a Nexus caller's
 * namespace or a parent workflow's namespace. An accepted namespace's messages may be encrypted under this
 * rule's keys. If the keys file has a rule for the accepted namespace, the messages may also be encrypted
 * under that rule's keys.
 */
function acceptedNamespaces(rules: KeyRules, rule: ResolvedRule): readonly AcceptedNamespace[] {
  const others = rule.accepts.map((namespace) => {
    const theirs = rules.isNamed(namespace) ? rules.resolve(namespace) : rule;
    return { namespace, tag: namespaceTag(namespace), keys: [...new Set([...rule.keys, ...theirs.keys])] };
  });
  return [{ namespace: rule.namespace, tag: namespaceTag(rule.namespace), keys: rule.keys }, ...others];
}

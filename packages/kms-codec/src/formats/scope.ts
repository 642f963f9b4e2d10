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

/** The namespace and workflow of payloads, and what the keys file allows there. */
export interface Scope {
  readonly rule: ResolvedRule;
  /** Whether the configuration denies a wrapped key. */
  readonly denies: (wrapped: Uint8Array) => boolean;
  readonly accepted: readonly AcceptedNamespace[];
  /** Returns the namespaces that have a rule, to name the namespace of a message that is not accepted. */
  readonly otherNamespaces: () => readonly string[];
  /** Absent where nothing is encrypted, or nothing with a data key. */
  readonly dataKeyScope: DataKeyScope | undefined;
  /** Messages of `envelope-v2` that were parsed, without their data, by the start of their salt. */
  readonly kept: Map<number, ParsedMessage>;
  /** The context's workflow id, which must match a message's workflow tag when both are present. */
  readonly workflowId: string | undefined;
}

/** A namespace whose messages are read in a scope, and the crypto keys that may have encrypted them. */
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
  /** Asked before plaintext is allocated. */
  readonly budget: PlaintextBudget;
  /** Limit on the content of one compressed payload, in bytes. */
  readonly maxDecompressedBytes: number;
  /** What happens to a decrypted payload whose content is encrypted or compressed in a form that is not read here. */
  readonly onUnreadableLayer: 'refuse' | 'pass';
  readonly options: CallOptions;
}

/** A scope without its workflow. */
export type NamespaceScope = Omit<Scope, 'workflowId'>;

/** A scope, and the namespace of the calls that have it. */
interface LastScope {
  readonly namespace: string;
  readonly scope: NamespaceScope;
}

/** Resolves the scopes of a codec's calls, and keeps those of its namespaces. */
export class Scopes {
  readonly #options: Pick<KmsCodecOptions, 'rules' | 'namespace' | 'ignoreContext'>;
  readonly #dataKeyScope: (namespace: string, cryptoKey: string) => DataKeyScope | undefined;
  // Bounded, because a namespace may come from a request.
  readonly #namespaces = new LRUCache<string, NamespaceScope>({ max: 1_024 });
  readonly #readable = new LRUCache<string, NamespaceScope>({ max: 1_024 });

  /** The scopes of the last encode and the last decode: consecutive calls are mostly in one namespace. */
  readonly #last: { encrypt: LastScope | undefined; decrypt: LastScope | undefined } = {
    encrypt: undefined,
    decrypt: undefined,
  };

  /**
   * @param dataKeyScope returns the scope of the data keys that encrypt under a crypto key, if the format has data
   * keys
   */
  constructor(
    options: Pick<KmsCodecOptions, 'rules' | 'namespace' | 'ignoreContext'>,
    dataKeyScope: (namespace: string, cryptoKey: string) => DataKeyScope | undefined,
  ) {
    this.#options = options;
    this.#dataKeyScope = dataKeyScope;
  }

  /**
   * Returns the scope in which payloads are encrypted.
   * @throws KmsCodecError `namespace_not_configured`, or `malformed` when the context is not a context
   */
  toEncrypt(context: CodecContext | undefined): Scope {
    return this.#resolve('encrypt', context);
  }

  /**
   * Returns the scope in which payloads are decrypted. A context alone does not make a codec read another namespace: if
   * the codec has a namespace, and the rules do not name that of the context, only the codec's own rule counts.
   * @throws KmsCodecError `namespace_not_configured`, or `malformed` when the context is not a context
   */
  toDecrypt(context: CodecContext | undefined): Scope {
    return this.#resolve('decrypt', context);
  }

  /**
   * Returns the scope of the last call of this kind, without its workflow, if this call is in the same namespace.
   * @throws KmsCodecError `malformed` when the context is not a context
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
    const isNamed = kind === 'encrypt' || own === undefined || own === namespace || rules.isNamed(namespace);
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
    const byOwn = own === undefined || own === namespace ? [] : acceptedNamespaces(rules, rules.resolve(own));
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
    // The caller's rights and the reports are about the namespace of the call.
    const readable = { ...scope, rule: { ...scope.rule, namespace } };
    this.#readable.set(namespace, readable);
    return readable;
  }
}

const inWorkflow = (
  { rule, denies, accepted, otherNamespaces, dataKeyScope, kept }: NamespaceScope,
  workflowId: string | undefined,
): Scope => ({ rule, denies, accepted, otherNamespaces, dataKeyScope, kept, workflowId });

/** Joins the keys of a namespace that two rules accept: that of the call and that of the codec. */
function joined(accepted: readonly AcceptedNamespace[]): readonly AcceptedNamespace[] {
  const byName = new Map<string, AcceptedNamespace>();
  for (const one of accepted) {
    const keys = new Set([...(byName.get(one.namespace)?.keys ?? []), ...one.keys]);
    byName.set(one.namespace, { ...one, keys: [...keys] });
  }
  return [...byName.values()];
}

/**
 * Returns a rule's namespace and those in its `accepts`, such as a former name, a Nexus caller or a parent's namespace.
 * An accepted namespace's messages may be under this rule's keys or, if the keys file names that namespace, its own.
 */
function acceptedNamespaces(rules: KeyRules, rule: ResolvedRule): readonly AcceptedNamespace[] {
  const others = rule.accepts.map((namespace) => {
    const theirs = rules.isNamed(namespace) ? rules.resolve(namespace).keys : [];
    return { namespace, tag: namespaceTag(namespace), keys: [...new Set([...rule.keys, ...theirs])] };
  });
  return [{ namespace: rule.namespace, tag: namespaceTag(rule.namespace), keys: rule.keys }, ...others];
}

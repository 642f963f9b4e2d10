import type { CallOptions, PlaintextBudget } from '../call-options.ts';
import { namespaceTag } from '../keys/binding.ts';
import type { KeyRules, ResolvedRule } from '../keys/key-rules.ts';
import type { WaitBudget } from '../keys/wait-budget.ts';
import type { SealingPurpose } from '../keys/sealing-keys.ts';

/** What a namespace seals with and opens. */
export interface NamespaceScope {
  readonly rule: ResolvedRule;
  readonly accepted: readonly AcceptedNamespace[];
  /** Whose data keys seal; absent where nothing is sealed, or not with a data key. */
  readonly purpose: SealingPurpose | undefined;
}

/** Where one call's payloads are sealed or opened, and how long Cloud KMS is waited for. */
export interface Scope extends NamespaceScope {
  /** The context's workflow id, compared with a message's workflow tag where both are there. */
  readonly workflowId: string | undefined;
  readonly waitBudget: WaitBudget;
  /** Asked before plaintext is allocated. */
  readonly budget: PlaintextBudget;
  /** Most bytes that one compressed payload may hold. */
  readonly maxDecompressedBytes: number;
  readonly authorizeNamespace: CallOptions['authorizeNamespace'];
  readonly innerKmsCalls: CallOptions['innerKmsCalls'];
  readonly onInnerLayer: CallOptions['onInnerLayer'];
}

/** A namespace whose messages are read here, and the crypto keys that may have sealed them. */
export interface AcceptedNamespace {
  readonly namespace: string;
  readonly tag: Uint8Array;
  readonly keys: readonly string[];
}

/**
 * A rule's own namespace and those in its `accepts`: a former name, a Nexus caller, a parent elsewhere. Their messages
 * may be under this namespace's keys or, where the file names that namespace as well, under its own.
 */
export function acceptedBy(rules: KeyRules, rule: ResolvedRule): readonly AcceptedNamespace[] {
  const others = rule.accepts.map((namespace) => {
    const theirs = rules.isNamed(namespace) ? rules.resolve(namespace).keys : [];
    return { namespace, tag: namespaceTag(namespace), keys: [...new Set([...rule.keys, ...theirs])] };
  });
  return [{ namespace: rule.namespace, tag: namespaceTag(rule.namespace), keys: rule.keys }, ...others];
}

import type { PayloadRef } from '@temporal-kms/codec-api';
import { textAt } from '../events/proto-json.ts';
import { fingerprint } from './fingerprint.ts';
import type { Fact, Finding, Rule, Severity } from './facts/finding.ts';
import { type RuleId, rules } from './rules.ts';
import { isOpen, type WhyRun } from './facts/run.ts';

/** Why a run failed, what it waits for, and what went wrong on the way. */
export interface Explanation {
  /** The severity of the most urgent finding; `fine` if there are no findings or only notes. */
  readonly state: Exclude<Severity, 'note'> | 'fine';
  /** The findings, most urgent first. */
  readonly findings: readonly (Finding & { readonly rule: RuleId })[];
  /** Number of findings that were left out, by rule. */
  readonly more: Readonly<Partial<Record<RuleId, number>>>;
  /**
   * The payloads whose plaintext would complete the explanation, because they contain messages, stack traces
   * or names. Each ref appears once.
   */
  readonly refs: readonly PayloadRef[];
  /** How many of `refs` the caller has not decrypted. */
  readonly locked: number;
}

function findingOf({ id, severity, title, past, remedy }: IdRule, fact: Fact, run: WhyRun) {
  const isPast = past !== undefined && !isOpen(run);
  return {
    ...fact,
    rule: id,
    severity,
    title: fact.title ?? (isPast ? past : title),
    remedy: fact.remedy ?? (isPast ? undefined : remedy),
    fingerprint: fact.cause && fingerprint(fact.cause, workflowTypeOf(run)).id,
  };
}

const workflowTypeOf = ({ events: [start] }: Pick<WhyRun, 'events'>): string | undefined =>
  textAt(start?.attributes, 'workflowType', 'name');

type IdRule = Rule & { readonly id: RuleId };

/** Maximum number of findings of one rule. A run may have 2,000 pending activities. */
const MAX_PER_RULE = 20;

/**
 * Explains a run from its history and, if available, its description. Has no side effects. Call this function
 * with `allLocked` first, decrypt `refs`, and call the function again with the decrypted payloads.
 *
 * @example
 * const { state, findings: [first] } = explain({ events, groups: groupEvents(events), status: 'Failed', read, now });
 * // 'failed', { rule: 'run-failed', cause: { type: 'CardDeclined', places: [{ kind: 'activity', name: 'charge', … }] } }
 */
export function explain(run: WhyRun): Explanation {
  const more: Partial<Record<RuleId, number>> = {};
  const findings = rules.flatMap((rule: IdRule) => {
    const facts = rule.find(run);
    if (facts.length > MAX_PER_RULE) more[rule.id] = facts.length - MAX_PER_RULE;
    return facts.slice(0, MAX_PER_RULE).map((fact) => findingOf(rule, fact, run));
  });
  const refs = new Set(findings.flatMap(({ refs: own = [], cause }) => [...(cause?.refs ?? []), ...own]));
  const [first] = findings;
  return {
    state: first === undefined || first.severity === 'note' ? 'fine' : first.severity,
    findings,
    more,
    refs: [...refs],
    locked: [...refs].filter((ref) => run.read(ref).status === 'locked').length,
  };
}

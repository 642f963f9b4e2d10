import type { Reveals } from '../payloads/reveal/reveals.ts';
import type { AuditConditions } from './api.ts';
import type { AuditSearch, Span } from './audit-params.ts';

const HOUR = 3_600_000;

/** The lengths of the spans, in milliseconds. */
const lengths: Readonly<Record<Span, number>> = {
  '1h': HOUR,
  '24h': 24 * HOUR,
  '7d': 7 * 24 * HOUR,
  '30d': 30 * 24 * HOUR,
};

/** Search text that may name a person or quote a justification. It stays in memory, so that no URL contains it. */
export interface PersonText {
  readonly who: string;
  readonly justification: string;
}

export const noText: PersonText = { who: '', justification: '' };

/** A search of the audit. */
export interface AuditView {
  readonly search: AuditSearch;
  readonly text: PersonText;
  /** The time at which the span ends: when the user chose the span or updated the list. */
  readonly now: number;
}

/**
 * Each signed-in person’s last search in each namespace. A person is identified by their `Reveals` object.
 */
const kept = new WeakMap<Reveals, Map<string, AuditView>>();

/** Returns the search in the address, plus the text that the person entered before opening a run and coming back. */
export function viewOf(owner: Reveals, namespace: string, search: AuditSearch): AuditView {
  const known = kept.get(owner)?.get(namespace);
  const { text = noText } = known ?? {};
  return { search, text, now: known && sameSearch(known.search, search) ? known.now : Date.now() };
}

export function keepView(owner: Reveals, namespace: string, view: AuditView): void {
  kept.set(owner, (kept.get(owner) ?? new Map<string, AuditView>()).set(namespace, view));
}

export const sameSearch = (a: AuditSearch, b: AuditSearch): boolean =>
  parameters.every((name) => a[name] === b[name]);

const parameters = ['op', 'out', 'wf', 'last', 'since', 'until'] as const satisfies (keyof AuditSearch)[];

/** Returns a search's conditions. */
export function conditionsOf({ search, text, now }: AuditView): AuditConditions {
  const { op, out, wf, last } = search;
  const from = last === undefined ? search.since : new Date(now - lengths[last]).toISOString();
  const to = last === undefined ? search.until : undefined;
  const who = text.who.trim();
  const justification = text.justification.trim();
  return {
    ...(op && { operations: [op] }),
    ...(out && (out === 'denied' ? { denied: true as const } : { results: [out] })),
    ...(wf && { workflowId: wf }),
    ...(from && { from }),
    ...(to && { to }),
    ...(who && { who }),
    ...(justification && { justification }),
  };
}

export const isFiltered = ({ search, text }: Pick<AuditView, 'search' | 'text'>): boolean =>
  Object.values(search).some((value) => value !== undefined) || text.who !== '' || text.justification !== '';

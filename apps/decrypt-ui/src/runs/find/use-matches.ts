import { useMemo } from 'react';
import { groupOfEvent } from '../events/history.ts';
import type { HistoryView } from '../history/use-history-view.ts';
import { useFind, useRun } from '../run/run-context.tsx';

export type MatchJump = ReturnType<typeof useMatches>;

/**
 * Returns the number of matches, the position of the current match, and functions that jump between matches.
 * Matches in payloads are in the order found, matches in names in the order of the rows.
 */
export function useMatches(view: HistoryView) {
  const { find, follow } = useRun();
  const { scope, hits, current, matches, search } = useFind();
  const { history } = follow;
  const { matched } = view;
  const names = useMemo(() => {
    if (!matches) return [];
    if (view.view === 'all') return [...matches.keys()].toSorted((a, b) => a - b);
    return [...(matched ?? [])].toSorted((a, b) => a - b).flatMap((index) => history.groups[index]?.id ?? []);
  }, [matches, matched, view.view, history]);
  const inPayloads = scope === 'payloads';
  const count = inPayloads ? (search ? hits.length : undefined) : matches ? names.length : undefined;

  function goTo(index: number) {
    const hit = hits[index];
    if (!hit) return;
    find.setCurrent(index);
    view.change({ pane: undefined });
    view.selectEvent(hit.eventId, { focus: false, one: true });
  }

  function step(by: 1 | -1) {
    if (!count) return;
    if (inPayloads) {
      goTo(current === undefined ? (by === 1 ? 0 : count - 1) : (current + by + count) % count);
      return;
    }
    const at = activeEvent(view);
    const next = by === 1 ? names.find((id) => id > at) : names.findLast((id) => id < at);
    const event = next ?? (by === 1 ? names[0] : names.at(-1));
    if (event !== undefined) view.selectEvent(event, { focus: false });
  }

  const selected = view.selection.ev;
  const place = inPayloads
    ? current
    : names.indexOf((view.view === 'all' ? selected : groupOfEvent(history, selected)?.id) ?? -1);
  return {
    count,
    /** Position of the current match, from 1; undefined if the user is not at a match. */
    position: place === undefined || place < 0 ? undefined : place + 1,
    next: () => step(1),
    previous: () => step(-1),
    goTo,
  };
}

/** Returns the id of the active event or group, or 0 if no row is active. */
function activeEvent({ focus, rows }: HistoryView): number {
  const row = focus.active === undefined ? undefined : rows.at(rows.indexOf(focus.active));
  if (!row) return 0;
  return row.kind === 'event' && row.level === 1 ? row.event.eventId : row.group.id;
}

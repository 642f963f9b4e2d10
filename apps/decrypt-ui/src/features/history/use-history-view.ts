import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useGridFocus } from '../../components/virtual-grid.tsx';
import { groupOutcome, pendingByGroup } from '../../model/describe-group.ts';
import { matcher } from '../../model/find.ts';
import { type Group, outcomeOfEvent, type RecordedEvent } from '../../model/history.ts';
import { isFailure } from '../../model/outcome.ts';
import { type PendingWork, pendingWork } from '../../model/pending.ts';
import { eventKey, groupKey, type Row, rowsOf } from '../../model/rows.ts';
import type { RunTimes } from '../../model/time-scale.ts';
import { useRun } from '../../run/run-context.tsx';
import type { WorkflowSearch } from '../../run/search.ts';

export type HistoryView = ReturnType<typeof useHistoryView>;

/** What the history table shows, which row is active and what is selected. */
export function useHistoryView(search: WorkflowSearch, change: (search: Partial<WorkflowSearch>) => void) {
  const { follow, description, open } = useRun();
  const { events, groups } = follow.history;
  const view = search.view ?? 'groups';
  const tasks = search.tasks ?? false;
  const [expandedIds, setExpandedIds] = useState<ReadonlySet<number>>(new Set());
  const gridFocus = useGridFocus();
  const [term, setTerm] = useState('');
  const [selection, select] = useSelection({ ev: search.ev, one: search.one ?? false }, ({ ev, one }) =>
    change({ ev, one: one || undefined }),
  );

  const pending = useMemo(() => pendingByGroup(groups, pendingWork(description)), [groups, description]);
  const selectedGroup = useMemo(() => groupOfEvent(groups, selection.ev), [groups, selection.ev]);
  const selectedId = selectedGroup?.id;
  const selectedKey = keyOf(selection, selectedGroup, view);
  // A selected event inside a group expands the group.
  const inside = view === 'groups' && selectedKey?.startsWith('e') === true ? selectedId : undefined;
  const expanded = useMemo(
    () => (inside === undefined ? expandedIds : new Set([...expandedIds, inside])),
    [expandedIds, inside],
  );
  const rows = useMemo(
    () => rowsOf(groups, events, { view, expanded, tasks, selected: selectedId }),
    [groups, events, view, expanded, tasks, selectedId],
  );
  const times = useMemo(() => timesOf(events, groups), [events, groups]);
  const matches = useMemo(() => {
    const match = matcher(term);
    return match ? new Set(rows.filter(match).map((row) => row.key)) : undefined;
  }, [rows, term]);
  const counts = useMemo(
    () => ({
      failed: groups.filter((group) => isFailure(group.outcome)).length,
      pending: open ? groups.filter((group) => group.open && group.category !== 'task').length : 0,
    }),
    [groups, open],
  );

  const toggle = useCallback(
    (id: number) => {
      const isExpanded = expanded.has(id);
      setExpandedIds((known) => (isExpanded ? without(known, id) : new Set([...known, id])));
      // Collapsing the group of the selected event selects the group, so that the selection stays visible.
      if (isExpanded && inside === id) select(id);
    },
    [expanded, inside, select],
  );

  const { setActive } = gridFocus;
  const selectRow = useCallback(
    (row: Row) => {
      setActive(row.key);
      // The group of the event that was selected stays expanded.
      if (inside !== undefined) setExpandedIds((known) => new Set([...known, inside]));
      select(eventIdOf(row), row.kind === 'event' && row.event.eventId === row.group.id);
    },
    [select, inside, setActive],
  );

  return {
    rows,
    times,
    view,
    tasks,
    idle: search.idle ?? true,
    toggle,
    expandAll: () => setExpandedIds(new Set(groups.map((group) => group.id))),
    collapseAll: () => {
      setExpandedIds(new Set());
      if (inside !== undefined) select(inside);
    },
    focus: { ...gridFocus, active: gridFocus.active ?? selectedKey ?? rows[0]?.key },
    selection,
    selectedKey,
    selectedGroup,
    selectRow,
    close: () => select(undefined),
    term,
    setTerm,
    matches,
    pending,
    counts,
    change,
  };
}

const without = (ids: ReadonlySet<number>, id: number) => new Set([...ids].filter((other) => other !== id));

function timesOf(events: readonly RecordedEvent[], groups: readonly Group[]): RunTimes {
  return {
    events: events.map((event) => event.at).toSorted((a, b) => a - b),
    busy: groups
      .filter(({ category }) => category === 'activity')
      .map((group) => ({
        from: group.events[0].at,
        to: group.open ? Infinity : Math.max(...group.events.map((event) => event.at)),
      })),
  };
}

/** The event that a row selects. Attempts that were not recorded have no event, so they select their group. */
const eventIdOf = (row: Row) => (row.kind === 'event' ? row.event.eventId : row.group.id);

function groupOfEvent(groups: readonly Group[], ev: number | undefined): Group | undefined {
  if (ev === undefined) return undefined;
  return groups.find((group) => group.events.some((event) => event.eventId === ev));
}

function keyOf(selection: Selection, group: Group | undefined, view: 'groups' | 'all'): string | undefined {
  const { ev, one } = selection;
  if (ev === undefined || !group) return undefined;
  if (view === 'all') return eventKey(ev);
  return group.id === ev && (!one || group.events.length === 1) ? groupKey(ev) : eventKey(ev);
}

/** True for a row to which the command "next failed" jumps. */
export function isFailedRow(row: Row): boolean {
  if (row.kind === 'group') return isFailure(row.group.outcome);
  return row.kind === 'event' && row.level === 1 && isFailure(outcomeOfEvent(row.event));
}

/** True for a row to which the command "next pending" jumps. */
export function isPendingRow(row: Row, runOpen: boolean, pending: ReadonlyMap<number, PendingWork>): boolean {
  if (!runOpen || row.kind === 'attempts' || row.level !== 1 || !row.group.open) return false;
  if (row.kind === 'event' && row.event !== row.group.events.at(-1)) return false;
  return groupOutcome(row.group, runOpen, pending.get(row.group.id)) !== undefined;
}

interface Selection {
  /** The id of the selected event. The id of a head selects its group, unless `one` is true. */
  readonly ev: number | undefined;
  /** Selects the head itself instead of its group. */
  readonly one: boolean;
}

/**
 * Milliseconds until a new selection is written into the address. Browsers limit how often a page may change its address,
 * and a key that is held down changes the selection 30 times per second.
 */
const COMMIT_AFTER = 150;

/**
 * The selected event. A selection changes the page immediately and the address shortly after. When the address changes by
 * itself (the back button, a link), the selection follows it.
 */
function useSelection(address: Selection, commit: (selection: Selection) => void) {
  const [selection, setSelection] = useState(address);
  const written = useRef(address);
  const latest = useRef(commit);
  useEffect(() => {
    latest.current = commit;
  });

  useEffect(() => {
    const { ev, one } = written.current;
    if (ev === address.ev && one === address.one) return;
    written.current = { ev: address.ev, one: address.one };
    setSelection({ ev: address.ev, one: address.one });
  }, [address.ev, address.one]);

  useEffect(() => {
    const { ev, one } = written.current;
    if (ev === selection.ev && one === selection.one) return undefined;
    const timer = setTimeout(() => {
      written.current = selection;
      latest.current(selection);
    }, COMMIT_AFTER);
    return () => clearTimeout(timer);
  }, [selection]);

  const select = useCallback(
    (ev: number | undefined, one = false) => setSelection({ ev, one: ev === undefined ? false : one }),
    [],
  );
  return [selection, select] as const;
}

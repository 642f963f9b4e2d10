import { useCallback, useMemo, useState } from 'react';
import { groupOutcome, pendingByGroup } from '../../model/describe-group.ts';
import { matcher } from '../../model/find.ts';
import { type Group, outcomeOfEvent, type RecordedEvent } from '../../model/history.ts';
import { isFailure } from '../../model/outcome.ts';
import { type PendingWork, pendingWork } from '../../model/pending.ts';
import { eventKey, groupKey, type Row, rowsOf } from '../../model/rows.ts';
import type { Activity } from '../../model/time-scale.ts';
import { useRun } from './run-context.tsx';
import type { WorkflowSearch } from './search.ts';
import { type Selection, useSelection } from './use-selection.ts';

/** Asks the grid to bring a row into view. A new object each time, so that asking twice works. */
export interface Target {
  readonly key: string;
  readonly focus: boolean;
}

export type HistoryView = ReturnType<typeof useHistoryView>;

/** What the history grid shows and where one is in it. */
export function useHistoryView(search: WorkflowSearch, change: (search: Partial<WorkflowSearch>) => void) {
  const { follow, description, open } = useRun();
  const { events, groups } = follow.history;
  const view = search.view ?? 'groups';
  const tasks = search.tasks ?? false;
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [active, setActive] = useState<string>();
  const [target, setTarget] = useState<Target>();
  const [term, setTerm] = useState('');
  const [selection, select] = useSelection({ ev: search.ev, one: search.one ?? false }, ({ ev, one }) =>
    change({ ev, one: one || undefined }),
  );

  const pending = useMemo(() => pendingByGroup(groups, pendingWork(description)), [groups, description]);
  const selectedGroup = useMemo(() => groupOfEvent(groups, selection.ev), [groups, selection.ev]);
  const selectedId = selectedGroup?.id;
  const selectedKey = keyOf(selection, selectedGroup, view);
  // A link to an event inside a group opens the group.
  const inside = view === 'groups' && selectedKey?.startsWith('e') === true ? selectedId : undefined;
  const expanded = useMemo(
    () => (inside === undefined ? opened : new Set([...opened, inside])),
    [opened, inside],
  );
  const rows = useMemo(
    () => rowsOf(groups, events, { view, expanded, tasks, selected: selectedId }),
    [groups, events, view, expanded, tasks, selectedId],
  );
  const activity = useMemo(() => activityOf(events, groups), [events, groups]);
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
      const isOpen = expanded.has(id);
      setOpened((known) => (isOpen ? without(known, id) : new Set([...known, id])));
      // What is selected doesn't disappear with its group: the group stands for it.
      if (isOpen && inside === id) select(id);
    },
    [expanded, inside, select],
  );

  const go = useCallback((key: string, focus = true) => {
    setActive(key);
    setTarget({ key, focus });
  }, []);

  const selectRow = useCallback(
    (row: Row) => {
      setActive(row.key);
      // The group of what was selected stays open when something else is.
      if (inside !== undefined) setOpened((known) => new Set([...known, inside]));
      select(eventIdOf(row), row.kind === 'event' && row.event.eventId === row.group.id);
    },
    [select, inside],
  );

  return {
    rows,
    activity,
    view,
    tasks,
    idle: search.idle ?? true,
    expanded,
    toggle,
    expandAll: () => setOpened(new Set(groups.map((group) => group.id))),
    collapseAll: () => {
      setOpened(new Set());
      if (inside !== undefined) select(inside);
    },
    active: active ?? selectedKey ?? rows[0]?.key,
    setActive,
    target,
    go,
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

function activityOf(events: readonly RecordedEvent[], groups: readonly Group[]): Activity {
  return {
    times: events.map((event) => event.at).toSorted((a, b) => a - b),
    busy: groups
      .filter(({ category }) => category === 'activity')
      .map((group) => ({
        from: group.events[0].at,
        to: group.open ? Infinity : Math.max(...group.events.map((event) => event.at)),
      })),
  };
}

/** The inspector has nothing of its own to say about attempts that left no event: their group stands for them. */
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

export function isFailedRow(row: Row): boolean {
  if (row.kind === 'group') return isFailure(row.group.outcome);
  return row.kind === 'event' && row.level === 1 && isFailure(outcomeOfEvent(row.event));
}

export function isPendingRow(row: Row, runOpen: boolean, pending: ReadonlyMap<number, PendingWork>): boolean {
  if (!runOpen || row.kind === 'attempts' || row.level !== 1 || !row.group.open) return false;
  if (row.kind === 'event' && row.event !== row.group.events.at(-1)) return false;
  return groupOutcome(row.group, runOpen, pending.get(row.group.id)) !== undefined;
}

import { useCallback, useMemo, useState } from 'react';
import { isFailure, outcomeOfEvent, type PendingWork, pendingWork } from '@temporal-kms/histories/events';
import { useGridFocus } from '../../ui/grid/use-virtual-grid.ts';
import { groupOutcome, pendingByGroup } from '../events/describe-group.ts';
import {
  type Group,
  groupIndexOf,
  groupOfEvent,
  type History,
  type RecordedEvent,
} from '../events/history.ts';
import { type Hit, matchedGroups } from '../events/matches.ts';
import { eventKey, groupKey, type Row, type RowOptions, type Rows, rowsOf } from '../events/rows.ts';
import { historyGrid, type WorkflowSearch } from '../run-params.ts';
import { useFind, useRun } from '../run/run-context.tsx';
import type { RunTimes } from '../timeline/time-scale.ts';
import { type Selection, useSelection } from './use-selection.ts';
import { useOnPath } from './use-on-path.ts';
import { useSheetEntry } from './use-sheet-entry.ts';

export type HistoryView = ReturnType<typeof useHistoryView>;

/** Manages what the history table shows, the active row and the selection. */
export function useHistoryView(
  search: WorkflowSearch,
  change: (search: Partial<WorkflowSearch>, replace?: boolean) => void,
) {
  const { address, follow, description, open } = useRun();
  const { history } = follow;
  const { groups } = history;
  const view = search.view ?? 'groups';
  const tasks = search.tasks ?? false;
  const [expandedIds, setExpandedIds] = useState<ReadonlySet<number>>(new Set());
  // Does not restore the focus: when a page opens, its heading gets the focus.
  const gridFocus = useGridFocus({ name: historyGrid(address) });
  const { matches, only } = useFind();
  const [selection, select] = useSelection(
    { ev: search.ev, one: search.one ?? false },
    useSheetEntry(search, change),
  );

  const pending = useMemo(() => pendingByGroup(groups, pendingWork(description)), [groups, description]);
  const selectedGroup = groupOfEvent(history, selection.ev);
  const selectedId = selectedGroup?.id;
  const selectedKey = keyOf(selection, selectedGroup, view);
  // If an event inside a group is selected, the group is expanded.
  const inside = view === 'groups' && selectedKey?.startsWith('e') === true ? selectedId : undefined;
  const expanded = useMemo(
    () => (inside === undefined ? expandedIds : new Set([...expandedIds, inside])),
    [expandedIds, inside],
  );
  const matched = useMemo(() => matches && matchedGroups(matches, history), [matches, history]);
  const rows = useMemo(
    () =>
      rowsOf(history, {
        view,
        expanded,
        tasks,
        selected: selectedId,
        only: onlyBoth(
          only && matches && matched ? { groups: matched, events: matches } : undefined,
          search.type === undefined ? undefined : ofType(history, search.type),
        ),
      }),
    [history, view, expanded, tasks, selectedId, only, matches, matched, search.type],
  );
  const times = useMemo(() => timesOf(history), [history]);
  const counts = useMemo(() => {
    const failures = groups.flatMap(({ outcome }) => (outcome && isFailure(outcome) ? outcome : []));
    const [failedAs = 'failed', ...others] = new Set(failures);
    return {
      failed: failures.length,
      /** The outcome of the failed groups; `failed` if their outcomes differ. */
      failedAs: others.length === 0 ? failedAs : 'failed',
      pending: open ? groups.filter((group) => group.open && group.category !== 'task').length : 0,
    };
  }, [groups, open]);

  const toggle = useCallback(
    (id: number) => {
      const isExpanded = expanded.has(id);
      setExpandedIds((known) => (isExpanded ? without(known, id) : new Set([...known, id])));
      // Collapsing the selected event's group selects the group, so that the selection stays visible.
      if (isExpanded && inside === id) select(id);
    },
    [expanded, inside, select],
  );

  const { setActive } = gridFocus;
  const selectRow = useCallback(
    (row: Row) => {
      setActive(row.key);
      // The group of the previously selected event stays expanded.
      if (inside !== undefined) setExpandedIds((known) => new Set([...known, inside]));
      select(eventIdOf(row), row.kind === 'event' && row.event.eventId === row.group.id);
    },
    [select, inside, setActive],
  );
  const { go } = gridFocus;
  /**
   * Selects an event and scrolls to it. Selecting a group's first event selects the group, unless `one` is
   * true. With `focus: false`, the focus does not move.
   */
  const selectEvent = useCallback(
    (ev: number, { focus = true, one = false }: { focus?: boolean; one?: boolean } = {}) => {
      const group = groupOfEvent(history, ev);
      const key = keyOf({ ev, one }, group, view);
      if (inside !== undefined) setExpandedIds((known) => new Set([...known, inside]));
      select(ev, one);
      if (key !== undefined) go(key, focus);
    },
    [history, view, inside, select, go],
  );

  /** Returns the number of places in a row's payloads that match the search. */
  const placesIn = (row: Row): number => {
    if (!matches || row.kind === 'attempts') return 0;
    const events: readonly RecordedEvent[] = row.kind === 'group' ? row.group.events : [row.event];
    return events.reduce((sum, { eventId }) => sum + countPlaces(matches.get(eventId)), 0);
  };

  /**
   * Returns whether a row matches the search. Returns true for every row if there is no search or no match.
   */
  const isMatch = (row: Row): boolean => {
    if (!matches || matches.size === 0) return true;
    if (row.kind === 'event') return matches.has(row.event.eventId);
    return row.kind === 'group' && (matched?.has(groupIndexOf(history, row.group.id)) ?? false);
  };

  const isOnPath = useOnPath(search.path ?? false);

  return {
    rows,
    times,
    view,
    tasks,
    /** The type of the activities that are shown; undefined if all events are shown. */
    type: search.type,
    idle: search.idle ?? true,
    toggle,
    expandAll: () => setExpandedIds(new Set(groups.map((group) => group.id))),
    collapseAll: () => {
      setExpandedIds(new Set());
      if (inside !== undefined) select(inside);
    },
    focus: { ...gridFocus, active: gridFocus.active ?? selectedKey },
    selection,
    selectedKey,
    selectedGroup,
    selectRow,
    selectEvent,
    close: () => select(undefined),
    /** Moves the focus to the active row, or to the first row. */
    refocus: () => {
      const key = gridFocus.active ?? selectedKey ?? rows.at(0)?.key;
      if (key !== undefined) go(key);
    },
    isMatch,
    isOnPath,
    placesIn,
    matched,
    pending,
    counts,
    change,
  };
}

type Only = NonNullable<RowOptions['only']>;

/** Returns the condition that selects the activities of a type. */
function ofType(history: History, type: string): Only {
  const groups = new Set(
    history.groups.flatMap(({ activityType }, index) => (activityType === type ? [index] : [])),
  );
  return { groups, events: { has: (eventId) => groups.has(groupIndexOf(history, eventId)) } };
}

/** Combines two conditions into one, which selects only what both of them select. */
function onlyBoth(one: Only | undefined, other: Only | undefined): Only | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    groups: new Set([...one.groups].filter((index) => other.groups.has(index))),
    events: { has: (eventId) => one.events.has(eventId) && other.events.has(eventId) },
  };
}

const countPlaces = (hits: readonly Hit[] | undefined) =>
  hits?.filter((hit) => hit.in === 'payload').length ?? 0;

const without = (ids: ReadonlySet<number>, id: number) => new Set([...ids].filter((other) => other !== id));

const timesOf = ({ times, groups }: History): RunTimes => ({
  events: times,
  busy: groups
    .filter(({ category }) => category === 'activity')
    .map((group) => ({ from: group.events[0].at, to: group.open ? Infinity : group.lastAt })),
});

/** Returns the event that a row selects. Unrecorded attempts have no event, so they select their group. */
const eventIdOf = (row: Row) => (row.kind === 'event' ? row.event.eventId : row.group.id);

function keyOf(selection: Selection, group: Group | undefined, view: 'groups' | 'all'): string | undefined {
  const { ev, one } = selection;
  if (ev === undefined || !group) return undefined;
  if (view === 'all') return eventKey(ev);
  return group.id === ev && (!one || group.events.length === 1) ? groupKey(ev) : eventKey(ev);
}

/** Returns whether the command "Next failed" jumps to a row. */
export function isFailedRow(row: Row): boolean {
  if (row.kind === 'group') return isFailure(row.group.outcome);
  return row.kind === 'event' && row.level === 1 && isFailure(outcomeOfEvent(row.event));
}

/** Returns whether the command "Next pending" jumps to a row. */
export function isPendingRow(row: Row, runOpen: boolean, pending: ReadonlyMap<number, PendingWork>): boolean {
  if (!runOpen || row.kind === 'attempts' || row.level !== 1 || !row.group.open) return false;
  if (row.kind === 'event' && row.event !== row.group.events.at(-1)) return false;
  return groupOutcome(row.group, runOpen, pending.get(row.group.id)) !== undefined;
}

/** Returns the next row that passes a test, starting after a position; wraps around at the end. */
export function nextRow(
  rows: Rows,
  from: number,
  backwards: boolean,
  test: (row: Row) => boolean,
): Row | undefined {
  for (let step = 1; step <= rows.length; step += 1) {
    const row = rows.at((from + (backwards ? -step : step) + 2 * rows.length) % rows.length);
    if (row && test(row)) return row;
  }
  return undefined;
}

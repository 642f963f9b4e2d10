import { isFailure } from '@temporal-kms/histories/events';
import { type Group, groupIndexOf, type History, type RecordedEvent } from './history.ts';

/** A row of the history table, as data. All rows have the same height, so a row's index determines its position. */
export type Row =
  | {
      readonly kind: 'group';
      readonly key: string;
      readonly level: 1;
      readonly group: Group;
      readonly expandable: boolean;
      readonly expanded: boolean;
    }
  | {
      readonly kind: 'event';
      readonly key: string;
      readonly level: 1 | 2;
      readonly group: Group;
      readonly event: RecordedEvent;
      readonly last: boolean;
    }
  | {
      readonly kind: 'attempts';
      readonly key: string;
      readonly level: 2;
      readonly group: Group;
      /** The recorded attempt. Temporal records no events for earlier attempts. */
      readonly attempt: number;
      readonly from: number;
      readonly to: number;
    };

/** Rows by position. Each row is created only when it is read, so that fifty thousand rows cost as little as fifty. */
export interface Rows {
  readonly length: number;
  readonly at: (index: number) => Row | undefined;
  /** Returns the position of the row with the given key, or -1. */
  readonly indexOf: (key: string) => number;
}

export interface RowOptions {
  readonly view: 'groups' | 'all';
  readonly expanded: ReadonlySet<number>;
  /** Whether to show completed workflow tasks, which say nothing about the workflow itself. */
  readonly tasks: boolean;
  /** The selected group, which is always shown, because a link may lead to a workflow task. */
  readonly selected?: number | undefined;
  /**
   * If present, only these groups (by index) are shown. In the view of all events, only these events (by id)
   * are shown.
   */
  readonly only?:
    | { readonly groups: ReadonlySet<number>; readonly events: { has(eventId: number): boolean } }
    | undefined;
}

export const groupKey = (id: number) => `g${id}`;
export const eventKey = (id: number) => `e${id}`;

/** Returns a history's rows. */
export function rowsOf(history: History, options: RowOptions): Rows {
  return options.view === 'all' ? eventRows(history, options) : groupRows(history, options);
}

/** Returns whether a workflow task failed or is open. Failed and open workflow tasks explain what the run is doing. */
const isWorthSeeing = (group: Group) => isFailure(group.outcome) || group.open;

function groupRows(history: History, { expanded, tasks, selected, only }: RowOptions): Rows {
  const { groups } = history;
  const shown: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (only && !only.groups.has(index) && group.id !== selected) continue;
    if (tasks || group.category !== 'task' || only || group.id === selected || isWorthSeeing(group)) {
      shown.push(index);
    }
  }
  // For each expanded group, its position among the shown groups, and the number of rows that earlier expanded groups add.
  const open: { readonly place: number; readonly before: number }[] = [];
  let added = 0;
  if (expanded.size > 0) {
    for (const [place, index] of shown.entries()) {
      const group = groups[index];
      if (!group || !expanded.has(group.id) || group.events.length === 1) continue;
      open.push({ place, before: added });
      added += rowsOfGroup(group).members.length;
    }
  }

  return {
    length: shown.length + added,
    at(position) {
      const last = open[lastWhere(open.length, (index) => startOf(open[index]) <= position)];
      const offset = last ? position - startOf(last) : -1;
      const lastGroup = last && groups[shown[last.place] ?? -1];
      if (lastGroup && offset === 0) return rowsOfGroup(lastGroup).open;
      const members = lastGroup ? rowsOfGroup(lastGroup).members : [];
      if (offset >= 1 && offset <= members.length) return members[offset - 1];
      const place = last ? last.place + offset - members.length : position;
      const group = groups[shown[place] ?? -1];
      return group && rowsOfGroup(group).closed;
    },
    indexOf(key) {
      const eventId = Number(key.slice(1));
      const index = groupIndexOf(history, eventId);
      const place = lastWhere(shown.length, (candidate) => (shown[candidate] ?? 0) <= index);
      const group = groups[index];
      if (!group || index < 0 || shown[place] !== index) return -1;
      const before = open[lastWhere(open.length, (candidate) => (open[candidate]?.place ?? 0) < place)];
      const beforeGroup = before && groups[shown[before.place] ?? -1];
      const start =
        place + (before ? before.before + (beforeGroup ? rowsOfGroup(beforeGroup).members.length : 0) : 0);
      if (key === groupKey(group.id)) return start;
      if (!expanded.has(group.id)) return -1;
      const member = rowsOfGroup(group).members.findIndex((row) => row.key === key);
      return member < 0 ? -1 : start + 1 + member;
    },
  };
}

const startOf = (open: { readonly place: number; readonly before: number } | undefined) =>
  open ? open.place + open.before : 0;

/**
 * Returns the last index that passes a test, by binary search, or -1. All indexes that pass must come before
 * all indexes that fail.
 */
function lastWhere(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function eventRows(history: History, { only }: RowOptions): Rows {
  const { events, groups } = history;
  const ids = only && events.filter(({ eventId }) => only.events.has(eventId)).map(({ eventId }) => eventId);
  return {
    length: ids ? ids.length : events.length,
    at(position) {
      const event = events[ids ? (ids[position] ?? 0) - 1 : position];
      const group = event && groups[groupIndexOf(history, event.eventId)];
      return group && rowsOfGroup(group).singles().get(event.eventId);
    },
    indexOf(key) {
      const eventId = Number(key.slice(1));
      if (!key.startsWith('e') || eventId < 1 || eventId > events.length) return -1;
      if (!ids) return eventId - 1;
      const place = lastWhere(ids.length, (candidate) => (ids[candidate] ?? 0) <= eventId);
      return ids[place] === eventId ? place : -1;
    },
  };
}

interface GroupRows {
  readonly closed: Row;
  readonly open: Row;
  /** The rows below the expanded group's own row. */
  readonly members: readonly Row[];
  /** Returns the rows in the view of all events, by event id. */
  readonly singles: () => ReadonlyMap<number, Row>;
}

/** Caches each group's rows, so that a row stays the same object until its group changes. */
const made = new WeakMap<Group, GroupRows>();

function rowsOfGroup(group: Group): GroupRows {
  const known = made.get(group);
  if (known) return known;
  const expandable = group.events.length > 1;
  const head = { kind: 'group', key: groupKey(group.id), level: 1, group, expandable } as const;
  let singles: ReadonlyMap<number, Row> | undefined;
  const rows: GroupRows = {
    closed: { ...head, expanded: false },
    open: { ...head, expanded: expandable },
    members: expandable ? memberRows(group) : [],
    singles: () => (singles ??= singleRows(group)),
  };
  made.set(group, rows);
  return rows;
}

const singleRows = (group: Group): ReadonlyMap<number, Row> =>
  new Map(
    group.events.map((event) => [
      event.eventId,
      { kind: 'event', key: eventKey(event.eventId), level: 1, group, event, last: false },
    ]),
  );

function memberRows(group: Group): Row[] {
  return group.events.flatMap((event, index): Row[] => {
    const row: Row = {
      kind: 'event',
      key: eventKey(event.eventId),
      level: 2,
      group,
      event,
      last: index === group.events.length - 1,
    };
    if (event.eventName !== 'ActivityTaskStarted' || group.attempt <= 1) return [row];
    const from = group.events[0].at;
    return [
      { kind: 'attempts', key: `a${group.id}`, level: 2, group, attempt: group.attempt, from, to: event.at },
      row,
    ];
  });
}

import { attemptOf } from './describe-group.ts';
import type { Group, RecordedEvent } from './history.ts';
import { isFailure } from './outcome.ts';

/** A row of the history table, as data. Every row has the same height, so its position follows from its index. */
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
      /** The attempt that was recorded; Temporal records no event for the attempts before it. */
      readonly attempt: number;
      readonly from: number;
      readonly to: number;
    };

export interface RowOptions {
  readonly view: 'groups' | 'all';
  readonly expanded: ReadonlySet<number>;
  /** Shows workflow tasks that completed. They say nothing about the workflow, so they are left out by default. */
  readonly tasks: boolean;
  /** The selected group is always shown, because a link may lead to a workflow task. */
  readonly selected?: number | undefined;
}

export const groupKey = (id: number) => `g${id}`;
export const eventKey = (id: number) => `e${id}`;

/** The rows of a history whose groups and events come from `createHistoryBuilder`. */
export function rowsOf(
  groups: readonly Group[],
  events: readonly RecordedEvent[],
  { view, expanded, tasks, selected }: RowOptions,
): Row[] {
  if (view === 'all') return allRows(groups, events);
  return groups
    .filter((group) => tasks || group.category !== 'task' || group.id === selected || isWorthSeeing(group))
    .flatMap((group) => groupRows(group, expanded.has(group.id)));
}

/** True for a workflow task that failed or that is not durable yet: both explain what the run is doing. */
const isWorthSeeing = (group: Group) =>
  isFailure(group.outcome) || group.events.some((event) => !event.durable);

function allRows(groups: readonly Group[], events: readonly RecordedEvent[]): Row[] {
  const owner = new Map(groups.flatMap((group) => group.events.map((event) => [event.eventId, group])));
  return events.flatMap((event): Row[] => {
    const group = owner.get(event.eventId);
    return group
      ? [{ kind: 'event', key: eventKey(event.eventId), level: 1, group, event, last: false }]
      : [];
  });
}

function groupRows(group: Group, expanded: boolean): Row[] {
  const expandable = group.events.length > 1;
  const head: Row = {
    kind: 'group',
    key: groupKey(group.id),
    level: 1,
    group,
    expandable,
    expanded: expandable && expanded,
  };
  return expandable && expanded ? [head, ...memberRows(group)] : [head];
}

function memberRows(group: Group): Row[] {
  const attempt = attemptOf(group);
  return group.events.flatMap((event, index): Row[] => {
    const row: Row = {
      kind: 'event',
      key: eventKey(event.eventId),
      level: 2,
      group,
      event,
      last: index === group.events.length - 1,
    };
    if (event.eventName !== 'ActivityTaskStarted' || attempt <= 1) return [row];
    const from = group.events[0].at;
    return [{ kind: 'attempts', key: `a${group.id}`, level: 2, group, attempt, from, to: event.at }, row];
  });
}

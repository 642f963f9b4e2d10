import type { Category } from '../../events/event-kinds.ts';
import { type EventGroup, groupByHead, type RunEvent } from '../../events/groups.ts';
import { at, numberAt, textAt } from '../../events/proto-json.ts';
import { type FailureLevel, retryState } from '../../failures/failure.ts';

/** The ids of another workflow's run, exactly as Temporal stores them. Escape the ids before showing them. */
export interface OtherRun {
  readonly workflowId: string;
  readonly runId?: string | undefined;
}

/** Returns the run in an event's attributes or a failure's info; undefined if the value contains no workflow id. */
export function otherRun(workflowId: unknown, runId: unknown): OtherRun | undefined {
  if (typeof workflowId !== 'string' || workflowId === '') return undefined;
  return { workflowId, runId: typeof runId === 'string' && runId !== '' ? runId : undefined };
}

/** A step that failed, or that the run waits for. */
export interface Place {
  readonly kind: Extract<
    Category,
    'activity' | 'local' | 'child' | 'nexus' | 'update' | 'timer' | 'external' | 'signal' | 'task'
  >;
  /**
   * The type of an activity or a child workflow; `service.operation` for Nexus; the name of an update or a
   * signal.
   */
  readonly name: string;
  /**
   * The event with the failure, or the group's head while the step is open. Absent if the event is in another
   * run's history.
   */
  readonly eventId?: number | undefined;
  /** The number of the latest attempt, from 1. */
  readonly attempt?: number | undefined;
  /** Why there was no further attempt, such as `maximum attempts reached`. */
  readonly retryState?: string | undefined;
  /** The worker that ran the step. */
  readonly worker?: string | undefined;
  /** The child's run. All following places are in the child's run. */
  readonly run?: OtherRun | undefined;
}

/**
 * Returns the steps that a chain of failures names. The steps after the first child workflow or Nexus operation are in
 * another history, so `groups` does not contain them.
 */
export function placesOf(chain: readonly FailureLevel[], groups: readonly EventGroup[]): Place[] {
  const places: Place[] = [];
  let isHome = true;
  for (const { kind, info } of chain) {
    const place = placeOf(kind, info, isHome ? groups : []);
    if (place === undefined) continue;
    places.push(place);
    if (place.kind === 'child' || place.kind === 'nexus') isHome = false;
  }
  return places;
}

function placeOf(kind: string, info: unknown, groups: readonly EventGroup[]): Place | undefined {
  switch (kind) {
    case 'ActivityFailure': {
      const group = groupByHead(groups, numberAt(info, 'scheduledEventId')) ?? lastFailedLocal(info, groups);
      return {
        kind: group?.category === 'local' ? 'local' : 'activity',
        name: textAt(info, 'activityType', 'name') ?? 'Activity',
        ...endOf(group),
        retryState: retryState(info),
        worker: textAt(info, 'identity'),
      };
    }
    case 'ChildWorkflowFailure':
      return {
        kind: 'child',
        name: textAt(info, 'workflowType', 'name') ?? 'Child workflow',
        ...endOf(groupByHead(groups, numberAt(info, 'initiatedEventId'))),
        retryState: retryState(info),
        run: otherRun(at(info, 'workflowExecution', 'workflowId'), at(info, 'workflowExecution', 'runId')),
      };
    case 'NexusOperationFailure':
      return {
        kind: 'nexus',
        name: [textAt(info, 'service'), textAt(info, 'operation')].filter(Boolean).join('.'),
        ...endOf(groupByHead(groups, numberAt(info, 'scheduledEventId'))),
      };
    default:
      return undefined;
  }
}

const lastEvent = ({ events }: EventGroup): RunEvent => events.at(-1) ?? events[0];

function endOf(group: EventGroup | undefined): Pick<Place, 'eventId' | 'attempt'> {
  if (group === undefined) return {};
  return {
    eventId: lastEvent(group).eventId,
    attempt: group.category === 'activity' ? group.attempt : undefined,
  };
}

/**
 * A local activity's failure names no event, so it is assigned to the last failed local activity in `groups`.
 */
function lastFailedLocal(info: unknown, groups: readonly EventGroup[]): EventGroup | undefined {
  if (numberAt(info, 'scheduledEventId')) return undefined;
  return groups.findLast(({ category, outcome }) => category === 'local' && outcome === 'failed');
}

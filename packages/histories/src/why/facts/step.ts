import type { PayloadRef } from '@temporal-kms/codec-api';
import type { EventGroup, RunEvent } from '../../events/groups.ts';
import { groupName, summaryRef } from '../../events/group-name.ts';
import { at, textAt } from '../../events/proto-json.ts';
import { otherRun, type OtherRun, type Place } from './place.ts';
import type { ReadPayload, WhyRun } from './run.ts';

const placeKinds = new Set([
  'activity',
  'local',
  'child',
  'nexus',
  'update',
  'timer',
  'external',
  'signal',
  'task',
]);
const isPlaceKind = (category: string): category is Place['kind'] => placeKinds.has(category);

/** Returns the text of a name or a summary inside a payload, or undefined while the payload is locked. */
function textOf(ref: PayloadRef | undefined, read: ReadPayload, member?: string): string | undefined {
  if (ref === undefined) return undefined;
  const reading = read(ref);
  if (reading.status !== 'readable') return undefined;
  const value = member === undefined ? reading.value : at(reading.value, member);
  return textAt({ value }, 'value');
}

/** The place of a step, and the payloads that contain the step's name. */
export interface Step {
  /** Absent for a group that is not a step, such as the start of the run. */
  readonly place: Place | undefined;
  readonly refs: readonly PayloadRef[];
}

/** Returns the place and name of the step that a group of events is about. */
export function stepOf(group: EventGroup, { read }: Pick<WhyRun, 'read'>): Step {
  const label = groupName(group);
  const name = textOf(label.ref, read, label.member) ?? label.text;
  if (!isPlaceKind(group.category)) return { place: undefined, refs: [] };
  return {
    place: { kind: group.category, name, eventId: group.id, run: childOf(group) },
    refs: label.ref === undefined ? [] : [label.ref],
  };
}

const childOf = ({ category, events }: EventGroup): OtherRun | undefined => {
  if (category !== 'child') return undefined;
  const started = events.find(({ eventName }) => eventName === 'ChildWorkflowExecutionStarted');
  return otherRun(
    at(events[0].attributes, 'workflowId'),
    at(started?.attributes, 'workflowExecution', 'runId'),
  );
};

/**
 * Returns the summary that the workflow's author wrote for a step, if it is readable, and the payload that
 * contains it.
 */
export const summaryOf = (
  event: Pick<RunEvent, 'userMetadata'>,
  { read }: Pick<WhyRun, 'read'>,
): { readonly text: string | undefined; readonly refs: readonly PayloadRef[] } => {
  const ref = summaryRef(event);
  return { text: textOf(ref, read), refs: ref === undefined ? [] : [ref] };
};

import type { PayloadRef } from '@temporal-kms/codec-api';
import { type Category, eventKind } from './event-kinds.ts';
import type { RunEvent } from './groups.ts';
import { at, refAt, refsIn, textAt } from './proto-json.ts';

/**
 * A name that is either plaintext or inside a payload. If the name is inside a payload, `text` is shown until
 * the payload is decoded.
 */
export interface Label {
  readonly text: string;
  readonly ref?: PayloadRef;
  /**
   * The member of the payload's JSON object that contains the name. If `member` is absent, the whole payload is the
   * name.
   */
  readonly member?: string;
}

/** What happened, in a word or two: `Scheduled`, `Timed out`. */
export function eventTitle(event: Pick<RunEvent, 'eventName'>): string {
  return eventKind(event).title || event.eventName;
}

/** The fields of an event that determine its group's name. */
export type NamingEvent = Pick<RunEvent, 'eventId' | 'eventName' | 'attributes' | 'userMetadata'>;

interface NamedGroup {
  readonly category: Category;
  readonly events: readonly [NamingEvent, ...NamingEvent[]];
}

/** The name of a group's subject, such as the activity's type or the signal's name. */
export function groupName(group: NamedGroup): Label {
  const [head] = group.events;
  const { attributes } = head;
  switch (group.category) {
    case 'activity':
      return { text: textAt(attributes, 'activityType', 'name') ?? 'Activity' };
    case 'timer':
      return labelled(textAt(attributes, 'timerId') ?? `#${head.eventId}`, summaryRef(head));
    case 'child':
      return { text: textAt(attributes, 'workflowType', 'name') ?? 'Child workflow' };
    case 'external':
      return {
        text: textAt(attributes, 'signalName') ?? textAt(attributes, 'workflowExecution', 'workflowId') ?? '',
      };
    case 'signal':
      return { text: textAt(attributes, 'signalName') ?? 'Signal' };
    case 'update':
      return { text: updateName(group) };
    case 'nexus':
      return {
        text: [textAt(attributes, 'service'), textAt(attributes, 'operation')].filter(Boolean).join('.'),
      };
    case 'local':
      return localActivityName(head);
    case 'marker':
      return markerName(head);
    case 'task':
      return { text: eventTitle(group.events.at(-1) ?? head) };
    default:
      return { text: eventTitle(head) };
  }
}

const labelled = (text: string, ref: PayloadRef | undefined, member?: string): Label =>
  ref ? (member ? { text, ref, member } : { text, ref }) : { text };

function updateName(group: NamedGroup): string {
  for (const { attributes } of group.events) {
    const found =
      textAt(attributes, 'acceptedRequest', 'input', 'name') ??
      textAt(attributes, 'rejectedRequest', 'input', 'name') ??
      textAt(attributes, 'request', 'input', 'name');
    if (found) return found;
  }
  return 'Update';
}

/** Returns the payloads under a key of a marker's details. */
export const detailRefs = (event: Pick<RunEvent, 'attributes'>, key: string): PayloadRef[] =>
  refsIn(at(event.attributes, 'details', key));

/** The Core SDKs store the type in JSON under `data`; the Go SDK stores it as a payload under `type` or inside `data`. */
function localActivityName(head: NamingEvent): Label {
  const [type] = detailRefs(head, 'type');
  if (type) return labelled('Local activity', type);
  const member =
    textAt(head.attributes, 'markerName') === 'core_local_activity' ? 'activity_type' : 'ActivityType';
  return labelled('Local activity', detailRefs(head, 'data')[0], member);
}

function markerName(head: NamingEvent): Label {
  const name = textAt(head.attributes, 'markerName') ?? 'Marker';
  if (name === 'core_patch') return labelled('Patch', detailRefs(head, 'patch-data')[0], 'id');
  if (name === 'Version') return labelled('Version', detailRefs(head, 'change-id')[0]);
  return { text: name };
}

/** Returns the payload with a step's summary, which the workflow's author wrote. */
export const summaryRef = (event: Pick<RunEvent, 'userMetadata'>): PayloadRef | undefined =>
  refAt(event.userMetadata, 'summary');

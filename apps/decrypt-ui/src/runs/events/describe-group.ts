import { escapeInvisible, type PayloadRef } from '@temporal-kms/codec-api';
import { failureChain, type FailureLevel, headline } from '../../payloads/failure/failure.ts';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { at, durationAt, listAt, refAt, refsIn, textAt } from '../../payloads/value/proto-json.ts';
import type { Outcome } from '../outcome.ts';
import { type Category, eventKind } from './event-kinds.ts';
import { outcomeOfEvent } from './grouping.ts';
import type { Group, RecordedEvent } from './history.ts';
import type { PendingWork } from './pending.ts';

/** A name in plaintext, or one inside a payload; then `text` stands for it until the payload is decoded. */
export interface Label {
  readonly text: string;
  readonly ref?: PayloadRef;
  /** The member of the payload's JSON object that contains the name; without it the payload itself is the name. */
  readonly member?: string;
}

export const categoryText: Readonly<Record<Category, string>> = {
  workflow: 'Workflow',
  task: 'Task',
  activity: 'Activity',
  local: 'Local',
  timer: 'Timer',
  child: 'Child',
  external: 'External',
  signal: 'Signal',
  update: 'Update',
  nexus: 'Nexus',
  marker: 'Marker',
  other: 'Other',
};

/** What happened, in a word or two: `Scheduled`, `Timed out`. */
export function eventTitle(event: Pick<RecordedEvent, 'eventName'>): string {
  return eventKind(event).title || event.eventName;
}

/** The part of an event that names its group. */
type NamingEvent = Pick<RecordedEvent, 'eventId' | 'eventName' | 'attributes' | 'userMetadata'>;

interface NamedGroup {
  readonly category: Category;
  readonly events: readonly [NamingEvent, ...NamingEvent[]];
}

/** The name of what a group is about: the activity's type, the signal's name. */
export function groupName(group: NamedGroup): Label {
  const [head] = group.events;
  const { attributes } = head;
  switch (group.category) {
    case 'activity':
      return { text: textAt(attributes, 'activityType', 'name') ?? 'Activity' };
    case 'timer':
      return labelled(`#${textAt(attributes, 'timerId') ?? head.eventId}`, summaryRef(head));
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

const detailRefs = (event: Pick<RecordedEvent, 'attributes'>, key: string) =>
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

const summaryRef = (event: Pick<RecordedEvent, 'userMetadata'>): PayloadRef | undefined =>
  refAt(event.userMetadata, 'summary');

/** The content of the summary column. */
export type Summary =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'payload'; readonly ref: PayloadRef; readonly lead?: string }
  | {
      readonly kind: 'failure';
      readonly level: FailureLevel;
      readonly outcome: Outcome;
      readonly retryAt?: number;
    }
  | { readonly kind: 'timer'; readonly duration: number; readonly firesAt?: number }
  | { readonly kind: 'none' };

const text = (value: string | undefined): Summary =>
  value ? { kind: 'text', text: value } : { kind: 'none' };
const payload = (ref: PayloadRef | undefined): Summary | undefined =>
  ref ? { kind: 'payload', ref } : undefined;

/**
 * The most telling fact about a group, in this order: the failure, the author's summary, the result, the input, an
 * attribute.
 */
export function groupSummary(group: Group, pending?: PendingWork): Summary {
  const [head] = group.events;
  const last = group.events.at(-1) ?? head;
  if (pending?.lastFailure !== undefined) {
    const level = headline(failureChain(pending.lastFailure));
    if (level) {
      const failing = { kind: 'failure', level, outcome: 'pending' } as const;
      return pending.nextAttemptAt === undefined ? failing : { ...failing, retryAt: pending.nextAttemptAt };
    }
  }
  const failed = failureOf(last);
  if (failed) return failed;
  if (group.category === 'timer') return timerSummary(head, group.open);
  const written = payload(summaryRef(head));
  if (written) return written;
  if (!head.durable) return text('not yet durable');
  return payload(resultRef(last)) ?? payload(inputRef(head)) ?? text(eventNote(last));
}

/** The same for a single event. */
export function eventSummary(event: RecordedEvent): Summary {
  const failed = failureOf(event);
  if (failed) return failed;
  if (!event.durable) return text('not yet durable');
  if (event.eventName === 'TimerStarted') return timerSummary(event, false);
  return (
    payload(resultRef(event)) ??
    payload(inputRef(event)) ??
    payload(summaryRef(event)) ??
    text(eventNote(event))
  );
}

/** The failure in an event's attributes, in proto3 JSON. */
export function failureAttributes(event: RecordedEvent): unknown {
  const { attributes } = event;
  return at(attributes, 'failure') ?? at(attributes, 'outcome', 'failure') ?? undefined;
}

function failureOf(event: RecordedEvent): Summary | undefined {
  const level = headline(failureChain(failureAttributes(event)));
  return level && { kind: 'failure', level, outcome: outcomeOfEvent(event) ?? 'failed' };
}

function timerSummary(event: RecordedEvent, open: boolean): Summary {
  const duration = durationAt(event.attributes, 'startToFireTimeout') ?? 0;
  return open ? { kind: 'timer', duration, firesAt: event.at + duration } : { kind: 'timer', duration };
}

/** The first payload of what an event returned. */
export function resultRef(event: RecordedEvent): PayloadRef | undefined {
  const { attributes } = event;
  if (event.eventName === 'MarkerRecorded') {
    return detailRefs(event, 'result')[0] ?? detailRefs(event, 'side-effect')[0];
  }
  return (
    listAt(attributes, 'result', 'payloads').map((item) => refsIn(item)[0])[0] ??
    refAt(attributes, 'result') ??
    refsIn(at(attributes, 'outcome', 'success'))[0] ??
    refsIn(at(attributes, 'details'))[0]
  );
}

/** The first payload of what an event was given. */
export function inputRef(event: RecordedEvent): PayloadRef | undefined {
  const { attributes } = event;
  return (
    refsIn(at(attributes, 'input'))[0] ??
    refsIn(at(attributes, 'acceptedRequest', 'input', 'args'))[0] ??
    refsIn(at(attributes, 'rejectedRequest', 'input', 'args'))[0] ??
    refsIn(at(attributes, 'request', 'input', 'args'))[0] ??
    refsIn(at(attributes, 'upsertedMemo'))[0] ??
    refsIn(at(attributes, 'memo'))[0]
  );
}

/** The most telling plaintext attribute, for events without a payload. */
function eventNote(event: RecordedEvent): string | undefined {
  const { attributes } = event;
  const indexed = at(attributes, 'searchAttributes', 'indexedFields') ?? at(attributes, 'searchAttributes');
  if (event.eventName === 'MarkerRecorded') {
    return textAt(attributes, 'markerName') === 'core_patch' ? 'patch' : undefined;
  }
  if (event.eventName === 'UpsertWorkflowSearchAttributes' && isRecord(indexed)) {
    return escapeInvisible(Object.keys(indexed).join(', '));
  }
  return (
    textAt(attributes, 'reason') ??
    textAt(attributes, 'identity') ??
    textAt(attributes, 'newExecutionRunId') ??
    textAt(attributes, 'workflowExecution', 'workflowId') ??
    textAt(attributes, 'cause')
  );
}

/** The number of the latest attempt, from the server or from the history; 1 without a retry. */
export function attemptOf(group: Group, pending?: PendingWork): number {
  return pending ? pending.attempt : group.attempt;
}

/** The outcome of a group: of its last event, or of its pending work while it is open. */
export function groupOutcome(group: Group, runOpen: boolean, pending?: PendingWork): Outcome | undefined {
  if (group.outcome) return group.outcome;
  if (!group.open || group.category === 'task') return undefined;
  if (!runOpen) return 'neutral';
  if (pending?.paused) return 'paused';
  if (group.category === 'timer') return 'pending';
  if (pending?.kind === 'activity' || pending?.kind === 'nexus') {
    return pending.state === 'STARTED' && pending.attempt <= 1 ? 'running' : 'pending';
  }
  return group.events.length > 1 || group.category === 'update' ? 'running' : 'pending';
}

/** Finds the group of each item of pending work. Returns the items by group id. */
export function pendingByGroup(
  groups: readonly Group[],
  work: readonly PendingWork[],
): Map<number, PendingWork> {
  const activities = new Map(work.filter(({ kind }) => kind === 'activity').map((item) => [item.id, item]));
  const byHead = new Map(
    work.filter(({ kind }) => kind !== 'activity').map((item) => [Number(item.id), item]),
  );
  const joined = new Map<number, PendingWork>();
  for (const group of groups) {
    if (!group.open) continue;
    const found = group.activityId !== undefined ? activities.get(group.activityId) : byHead.get(group.id);
    if (found) joined.set(group.id, found);
  }
  return joined;
}

export const workerOf = (event: RecordedEvent) => textAt(event.attributes, 'identity');

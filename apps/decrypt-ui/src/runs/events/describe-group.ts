import { escapeInvisible, type PayloadRef } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import {
  at,
  type Category,
  detailRefs,
  durationAt,
  groupName,
  listAt,
  type Outcome,
  outcomeOfEvent,
  type PendingWork,
  refAt,
  refsIn,
  summaryRef,
  textAt,
} from '@temporal-kms/histories/events';
import { failureChain, type FailureLevel, headline } from '@temporal-kms/histories/failures';
import type { Group, RecordedEvent } from './history.ts';

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

/** Returns a group's category and name: `Workflow started`, `Activity chargeCard`. */
export function groupTitle(group: Group): string {
  const { category } = group;
  const { text: name } = groupName(group);
  const isSentence = category === 'workflow' || category === 'task';
  return `${categoryText[category]} ${isSentence ? name.toLowerCase() : name}`;
}

/** The content of the summary column. */
export type Summary =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'payload'; readonly ref: PayloadRef; readonly lead?: string }
  | {
      readonly kind: 'failure';
      readonly level: FailureLevel;
      readonly outcome: Outcome;
      readonly retryAt?: number;
      /** Whether only the last attempt failed, not the whole group. */
      readonly last?: boolean;
    }
  | { readonly kind: 'timer'; readonly duration: number; readonly firesAt?: number }
  | { readonly kind: 'none' };

const text = (value: string | undefined): Summary =>
  value ? { kind: 'text', text: value } : { kind: 'none' };
const payload = (ref: PayloadRef | undefined): Summary | undefined =>
  ref ? { kind: 'payload', ref } : undefined;

/**
 * Returns the most informative fact about a group: the failure if there is one, or else the author's summary,
 * the result, the input or an attribute.
 */
export function groupSummary(group: Group, pending?: PendingWork): Summary {
  const [head] = group.events;
  const last = group.events.at(-1) ?? head;
  if (pending?.lastFailure !== undefined) {
    const level = headline(failureChain(pending.lastFailure));
    if (level) {
      const failing = { kind: 'failure', level, outcome: 'pending', last: true } as const;
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

/** Returns the most informative fact about a single event. */
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

/** Returns the failure in an event's attributes, in proto3 JSON. */
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

/** Returns the first payload of an event's result. */
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

/** Returns the first payload of an event's input. */
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

/** Returns whether an event records the start of a task. The worker's identity in such an event is not informative. */
const isStart = ({ eventName }: RecordedEvent) => /^(?:Activity|Workflow)TaskStarted$/.test(eventName);

/** Returns the most informative plaintext attribute of an event without payloads. */
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
    (isStart(event) ? undefined : textAt(attributes, 'identity')) ??
    textAt(attributes, 'newExecutionRunId') ??
    textAt(attributes, 'workflowExecution', 'workflowId') ??
    textAt(attributes, 'cause')
  );
}

/** Returns the number of the latest attempt, from the server or the history; 1 if there was no retry. */
export function attemptOf(group: Group, pending?: PendingWork): number {
  return pending ? pending.attempt : group.attempt;
}

/** Returns a group's outcome: that of its last event with an outcome, or of its pending work while the group is open. */
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

/** Finds the group of each item of pending work, and returns the items by group id. */
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

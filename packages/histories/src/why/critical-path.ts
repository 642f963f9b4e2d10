import { eventKind } from '../events/event-kinds.ts';
import { isStart } from '../events/grouping.ts';
import type { EventGroup, RunEvent } from '../events/groups.ts';
import { numberAt } from '../events/proto-json.ts';
import { closedAs } from '../events/run-ends.ts';

/**
 * What a part of the path's time went to. `queue`: it waited for a worker. `retry`: earlier attempts and the pauses between
 * them, which a history does not separate. `idle`: the run waited for a timer or a message.
 */
export type PathKind = 'work' | 'queue' | 'retry' | 'idle';

/** A stretch of the critical path. The parts of a path follow each other without gaps. */
export interface PathPart {
  readonly kind: PathKind;
  /** The event id of the head of the step, which may be a workflow task; 0 where the run waited for a message. */
  readonly group: number;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** A step on the critical path, with its milliseconds of each kind. */
export type PathStep = { readonly group: number } & { readonly [kind in PathKind]: number };

export interface CriticalPath {
  /** From the start of the run to its end, without gaps: their durations add up to that of the run. */
  readonly parts: readonly PathPart[];
  /** In the order of the path; each step once. */
  readonly steps: readonly PathStep[];
  readonly total: { readonly [kind in PathKind]: number };
}

interface PathInput {
  /** `events[i].eventId === i + 1`. */
  readonly events: readonly RunEvent[];
  readonly groups: readonly EventGroup[];
  /** Milliseconds since 1970, for an open run. */
  readonly now: number;
}

/**
 * Returns what determined how long a run took: from its end backwards, always what the workflow task waited for that decided the next
 * step (the critical path of CRISP, USENIX ATC 2022). A step that ran in parallel, and ended earlier, is not on it.
 *
 * Takes linear time, and reads the attributes of steps on the path only.
 *
 * @example
 * criticalPath({ events, groups, now }).total; // { work: 3200, queue: 41, retry: 0, idle: 900_000 }
 */
export function criticalPath({ events, groups, now }: PathInput): CriticalPath {
  const walk = new Walk(events, groups);
  const [start] = events;
  const last = events.at(-1);
  if (start === undefined || last === undefined) return summary([]);
  const isClosed = closedAs(last.eventName) !== undefined;
  walk.back(isClosed ? last : currentEvent(last, groups), isClosed ? last.at : Math.max(now, last.at));
  return summary(walk.parts.toReversed());
}

/** What an open run waits for: its workflow task, else the step that began last. */
function currentEvent(last: RunEvent, groups: readonly EventGroup[]): RunEvent {
  const open = groups.findLast((group) => group.open);
  return open === undefined ? last : (open.events.at(-1) ?? open.events[0]);
}

/** Collects the parts from the end of the run to its start. */
class Walk {
  /** The latest first. */
  readonly parts: PathPart[] = [];
  readonly #events: readonly RunEvent[];
  readonly #groups: readonly EventGroup[];
  /** The index in `groups` of each event's group, by `eventId - 1`. */
  readonly #owners: Int32Array;
  /** The start of the part that was added last. */
  #at = 0;

  constructor(events: readonly RunEvent[], groups: readonly EventGroup[]) {
    this.#events = events;
    this.#groups = groups;
    this.#owners = new Int32Array(events.length).fill(-1);
    for (const [index, group] of groups.entries())
      for (const { eventId } of group.events) this.#owners[eventId - 1] = index;
  }

  #groupOf(eventId: number): EventGroup | undefined {
    return this.#groups[this.#owners[eventId - 1] ?? -1];
  }

  /** Adds the time back to `from`. Times are not monotonic, so a part may be empty, and is then left out. */
  #add(kind: PathKind, group: number, from: number): void {
    const start = Math.min(from, this.#at);
    const later = this.parts.at(-1);
    if (later?.kind === kind && later.group === group) this.parts.splice(-1, 1, { ...later, from: start });
    else if (start < this.#at) this.parts.push({ kind, group, from: start, to: this.#at });
    this.#at = start;
  }

  /** Walks from the end of the run to its start. */
  back(last: RunEvent, end: number): void {
    this.#at = end;
    const begin = this.#events[0]?.at ?? end;
    // What ended the path so far; each round moves to an earlier event.
    let event: RunEvent | undefined = last;
    let limit = this.#events.length + 1;
    while (event !== undefined && event.eventId < limit) {
      limit = event.eventId;
      event = this.#beforeEvent(event);
    }
    this.#add('idle', 0, begin);
  }

  /** Adds the step that an event belongs to, and returns the event that let it begin. */
  #beforeEvent(event: RunEvent): RunEvent | undefined {
    const group = this.#groupOf(event.eventId);
    if (group?.category === 'task') return this.#beforeTask(group);
    const [head] = group?.events ?? [event];
    if (group !== undefined && group.events.length + Number(group.open) > 1) this.#addStep(group);
    else this.#add('idle', 0, event.at);
    const decided = numberAt(head.attributes, 'workflowTaskCompletedEventId');
    // A message from outside: the run waited for it since its latest task.
    return decided === undefined ? this.#latestTask(head.eventId) : this.#events[decided - 1];
  }

  #addStep(group: EventGroup): void {
    const [head] = group.events;
    const started = group.events.find(isStart);
    if (group.category === 'timer') this.#add('idle', group.id, head.at);
    else if (started === undefined) {
      // While an activity is open, its start is in no event.
      this.#add(group.category === 'child' ? 'queue' : 'work', group.id, head.at);
    } else {
      this.#add('work', group.id, started.at);
      this.#add(group.attempt > 1 ? 'retry' : 'queue', group.id, head.at);
    }
  }

  /** Adds a workflow task, and returns the event that made Temporal schedule it. */
  #beforeTask(group: EventGroup): RunEvent | undefined {
    const [scheduled] = group.events;
    const started = group.events.find(isStart);
    const isRetried = group.outcome === 'failed' || group.outcome === 'timed-out';
    const end = group.open ? undefined : group.events.at(-1);
    if (end !== undefined) this.#add(isRetried ? 'retry' : 'idle', isRetried ? group.id : 0, end.at);
    if (started !== undefined) this.#add(isRetried ? 'retry' : 'work', group.id, started.at);
    this.#add(isRetried ? 'retry' : 'queue', group.id, scheduled.at);
    for (let id = scheduled.eventId - 1; id > 0; id -= 1) {
      const event = this.#events[id - 1];
      if (event === undefined) continue;
      // Without an event in between, the task before it failed, or a message came that no event records.
      if (this.#groupOf(id)?.category === 'task') return event;
      if (!isTrigger(event)) continue;
      this.#add('queue', group.id, event.at);
      return event;
    }
    return undefined;
  }

  #latestTask(before: number): RunEvent | undefined {
    for (let id = before - 1; id > 0; id -= 1) {
      const event = this.#events[id - 1];
      if (event?.eventName === 'WorkflowTaskCompleted') return event;
    }
    return undefined;
  }
}

/** Whether an event makes Temporal schedule a workflow task: the end of a step, or a message. Decisions of the code do not. */
const isTrigger = (event: RunEvent): boolean =>
  messages.has(event.eventName) || (eventKind(event).ends !== undefined && !decisions.has(event.eventName));

const messages: ReadonlySet<string> = new Set([
  'WorkflowExecutionStarted',
  'WorkflowExecutionSignaled',
  'WorkflowExecutionCancelRequested',
  'WorkflowExecutionUpdateAdmitted',
  'ChildWorkflowExecutionStarted',
  'NexusOperationStarted',
]);
const decisions: ReadonlySet<string> = new Set([
  'TimerCanceled',
  'WorkflowExecutionUpdateCompleted',
  'WorkflowExecutionUpdateRejected',
]);

function summary(parts: readonly PathPart[]): CriticalPath {
  const total = { work: 0, queue: 0, retry: 0, idle: 0 };
  const steps = new Map<
    number,
    { group: number; work: number; queue: number; retry: number; idle: number }
  >();
  for (const { kind, group, from, to } of parts) {
    const step = steps.get(group) ?? { group, work: 0, queue: 0, retry: 0, idle: 0 };
    steps.set(group, step);
    step[kind] += to - from;
    total[kind] += to - from;
  }
  return { parts, steps: [...steps.values()], total };
}

import { eventKind } from '../../events/event-kinds.ts';
import { isStart } from '../../events/grouping.ts';
import type { EventGroup, RunEvent } from '../../events/groups.ts';
import { durationAt, numberAt } from '../../events/proto-json.ts';
import { closedAs, endsWait } from '../../events/run-ends.ts';

/**
 * What the run did during a part of the path. `queue` means waiting for a worker. `retry` means earlier
 * attempts and the pauses between attempts, which a history does not separate. `idle` means waiting for a
 * timer, for a message or for a delayed start.
 */
export type PathKind = 'work' | 'queue' | 'retry' | 'idle';

/** A part of the critical path. The parts follow each other without gaps. */
export interface PathPart {
  readonly kind: PathKind;
  /**
   * The event id of the first event of the step or workflow task; 0 if the run waited for a message or for its
   * delayed start.
   */
  readonly group: number;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** A step on the critical path, with its time in milliseconds by kind. */
export type PathStep = { readonly group: number } & { readonly [kind in PathKind]: number };

export interface CriticalPath {
  /**
   * The parts of the path, from the run's start to its end. There are no gaps, so the durations add up to the
   * run's duration.
   */
  readonly parts: readonly PathPart[];
  /** The steps in the order of the path. Each step is listed once. */
  readonly steps: readonly PathStep[];
  readonly total: { readonly [kind in PathKind]: number };
}

interface PathInput {
  /** The run's events, in order and without gaps: `events[i].eventId === i + 1`. */
  readonly events: readonly RunEvent[];
  readonly groups: readonly EventGroup[];
  /** For an open run, the current time in milliseconds since 1970. */
  readonly now: number;
}

/**
 * Returns the steps that determined how long a run took (the critical path of CRISP, USENIX ATC 2022). Goes
 * backwards from the run's end: from each step to the workflow task that scheduled the step, and from there
 * to the event that triggered the task. A parallel step that ended earlier is not on the path.
 *
 * Takes linear time, and reads only the attributes of steps on the path.
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
  const isWaiting = !isClosed || endsWait(last.eventName);
  const latest = (isClosed && events.at(-2)) || last;
  walk.back(isWaiting ? currentEvent(latest, groups) : last, isClosed ? last.at : Math.max(now, last.at));
  return summary(walk.parts.toReversed());
}

/**
 * Returns what a run waits for: the last event of the open group that began last. Timers come after other groups,
 * because a timer that began after a step is often the step's time limit.
 */
function currentEvent(last: RunEvent, groups: readonly EventGroup[]): RunEvent {
  const open =
    groups.findLast((group) => group.open && group.category !== 'timer') ??
    groups.findLast((group) => group.open);
  return open === undefined ? last : (open.events.at(-1) ?? open.events[0]);
}

/** Collects the parts from the end of the run to its start. */
class Walk {
  /** The parts of the path, latest first. */
  readonly parts: PathPart[] = [];
  readonly #events: readonly RunEvent[];
  readonly #groups: readonly EventGroup[];
  /** For each event, at `eventId - 1`, the index of its group in `groups`. */
  readonly #owners: Int32Array;
  /** When Temporal schedules the first workflow task, which a cron schedule, a retry or a start delay can postpone. */
  readonly #firstTaskAt: number;
  /** The start of the most recently added part. */
  #at = 0;

  constructor(events: readonly RunEvent[], groups: readonly EventGroup[]) {
    this.#events = events;
    this.#groups = groups;
    const [start] = events;
    this.#firstTaskAt = (start?.at ?? 0) + (durationAt(start?.attributes, 'firstWorkflowTaskBackoff') ?? 0);
    this.#owners = new Int32Array(events.length).fill(-1);
    for (const [index, group] of groups.entries())
      for (const { eventId } of group.events) this.#owners[eventId - 1] = index;
  }

  #groupOf(eventId: number): EventGroup | undefined {
    return this.#groups[this.#owners[eventId - 1] ?? -1];
  }

  /**
   * Adds a part that starts at `from`. Times are not monotonic, so the part may be empty; an empty part is
   * left out.
   */
  #add(kind: PathKind, group: number, from: number): void {
    const start = Math.min(from, this.#at);
    const later = this.parts.at(-1);
    if (later?.kind === kind && later.group === group) this.parts.splice(-1, 1, { ...later, from: start });
    else if (start < this.#at) this.parts.push({ kind, group, from: start, to: this.#at });
    this.#at = start;
  }

  /** Walks backwards from the end of the run to its start, and collects the parts of the path. */
  back(last: RunEvent, end: number): void {
    this.#at = end;
    const begin = this.#events[0]?.at ?? end;
    // Each round moves back to the event that let the current step begin.
    let event: RunEvent | undefined = last;
    let limit = this.#events.length + 1;
    while (event !== undefined && event.eventId < limit) {
      limit = event.eventId;
      event = this.#beforeEvent(event);
    }
    this.#add('idle', 0, begin);
  }

  /** Adds the step that an event belongs to, and returns the event that let the step begin. */
  #beforeEvent(event: RunEvent): RunEvent | undefined {
    const group = this.#groupOf(event.eventId);
    if (group?.category === 'task') return this.#beforeTask(group);
    const [head] = group?.events ?? [event];
    if (group !== undefined && group.events.length + Number(group.open) > 1) this.#addStep(group);
    else this.#add('idle', 0, event.at);
    const decided = numberAt(head.attributes, 'workflowTaskCompletedEventId');
    // An event without this attribute is a message from outside. The run had waited for it since its latest
    // workflow task.
    return decided === undefined ? this.#latestTask(head.eventId) : this.#events[decided - 1];
  }

  #addStep(group: EventGroup): void {
    const [head] = group.events;
    const started = group.events.find(isStart);
    if (group.category === 'timer') this.#add('idle', group.id, head.at);
    else if (started === undefined) {
      // Temporal records an activity's start only when the activity closes.
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
      // No event between two workflow tasks means that the first task failed, or that a message arrived that
      // no event records.
      if (this.#groupOf(id)?.category === 'task') return event;
      if (!isTrigger(event)) continue;
      // The caller adds the remaining time, which is the delay of the start, as idle time.
      this.#add('queue', group.id, Math.max(event.at, this.#firstTaskAt));
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

/**
 * Returns whether an event makes Temporal schedule a workflow task. A message and the end of a step do so,
 * but a command of the workflow does not.
 */
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

import { type Outcome, outcomeOfEvent, type PendingWork } from '@temporal-kms/histories/events';
import { attemptOf, groupOutcome } from '../events/describe-group.ts';
import type { Group, RecordedEvent } from '../events/history.ts';

/**
 * A shape in the waterfall. `leg`: waiting. `bar`: ran. `open`: still running. `unrecorded`: attempts whose times
 * and failures Temporal does not store. `timer` and `timer-open`: an outline. `point`: a moment. `hollow`: the
 * moment of an event that is not durable. `tick`: the start of an attempt.
 */
type SpanKind = 'leg' | 'bar' | 'open' | 'unrecorded' | 'timer' | 'timer-open' | 'point' | 'hollow' | 'tick';

export interface Span {
  readonly kind: SpanKind;
  /** In milliseconds. `to` equals `from` if the shape marks a moment. */
  readonly from: number;
  readonly to: number;
  readonly outcome: Outcome;
}

export interface SpanContext {
  /** The present, or the end of a closed run. */
  readonly now: number;
  readonly runOpen: boolean;
  readonly pending?: PendingWork | undefined;
  /** Start times of this group's attempts, as the server reported them while the page was open. */
  readonly attemptsSeen?: readonly number[] | undefined;
}

/** Returns the shapes in a group's row. */
export function groupSpans(group: Group, context: SpanContext): Span[] {
  const [first] = group.events;
  const last = group.events.at(-1) ?? first;
  const outcome = groupOutcome(group, context.runOpen, context.pending) ?? 'neutral';
  const open = group.open && context.runOpen;
  const end = group.open ? Math.max(context.now, group.lastAt) : group.lastAt;
  if (group.events.length === 1 && !group.open) return [moment(first, outcome)];
  if (group.category === 'timer') {
    return [{ kind: open ? 'timer-open' : 'timer', from: first.at, to: Math.max(end, first.at), outcome }];
  }
  if (group.category === 'task' && open && !last.durable) return [moment(last, 'neutral')];

  const attempt = attemptOf(group, context.pending);
  const start = group.startedAt ?? context.pending?.lastStartedAt;
  if (open) return openSpans({ first: first.at, start, end, outcome, attempt }, context);
  if (start === undefined)
    return [{ kind: group.open ? 'unrecorded' : 'bar', from: first.at, to: end, outcome }];
  const run: Span = { kind: 'bar', from: start, to: Math.max(end, start), outcome };
  const before: Span = { kind: attempt > 1 ? 'unrecorded' : 'leg', from: first.at, to: start, outcome };
  return start > first.at ? [before, run] : [run];
}

interface Open {
  readonly first: number;
  readonly start: number | undefined;
  readonly end: number;
  readonly outcome: Outcome;
  readonly attempt: number;
}

function openSpans({ first, start, end, outcome, attempt }: Open, context: SpanContext): Span[] {
  if (attempt > 1) {
    const ticks = (context.attemptsSeen ?? []).map((at): Span => ({
      kind: 'tick',
      from: at,
      to: at,
      outcome,
    }));
    return [{ kind: 'open', from: first, to: end, outcome }, ...ticks];
  }
  if (start === undefined) return [{ kind: 'leg', from: first, to: end, outcome }];
  const run: Span = { kind: 'open', from: start, to: end, outcome };
  return start > first ? [{ kind: 'leg', from: first, to: start, outcome }, run] : [run];
}

function moment(event: RecordedEvent, outcome: Outcome): Span {
  return { kind: event.durable ? 'point' : 'hollow', from: event.at, to: event.at, outcome };
}

/** Returns the shape in a single event's row: a tick for a start, a point for any other event. */
export function eventSpan(event: RecordedEvent): Span {
  const outcome = outcomeOfEvent(event) ?? 'neutral';
  if (event.eventName === 'ActivityTaskStarted' || event.eventName === 'WorkflowTaskStarted') {
    return { kind: 'tick', from: event.at, to: event.at, outcome };
  }
  return moment(event, outcome);
}

/** Returns the first and the last millisecond of the shapes. */
export function extent(spans: readonly Span[]): { from: number; to: number } {
  return { from: Math.min(...spans.map((span) => span.from)), to: Math.max(...spans.map((span) => span.to)) };
}

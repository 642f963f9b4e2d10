import type { PayloadStub } from '@temporal-kms/codec-api';
import { textAt } from '@temporal-kms/histories/events';
import type { DiffPart } from '../../payloads/diff/line-diff.ts';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
import type { Group, History, RecordedEvent } from '../events/history.ts';
import type { RunScope } from '../run/run-context.tsx';
import { isEnd } from '../events/run-ends.ts';
import { subjectOf } from './payload-choices.ts';

/**
 * Maximum number of compared steps: more steps would not help the user, and computing their names takes time.
 */
export const MAX_STEPS = 4000;

/** Returns the event groups that two runs can have in common: all except workflow tasks, which depend on timing. */
export const stepsOf = ({ groups }: History): readonly Group[] =>
  groups.filter(({ category }) => category !== 'task').slice(0, MAX_STEPS);

/** Returns each step's subject. Steps with the same subject are aligned in order, and so are the runs' ends. */
export const subjectsOf = (steps: readonly Group[]): string[] =>
  steps.map((step) => (isEnd(step) ? 'end' : subjectOf(step)));

/** A step of both runs, or of one of them. */
export interface AlignedStep {
  readonly left?: Group;
  readonly right?: Group;
  /**
   * How many steps later the step occurs in the second run; negative if earlier. Absent if the step did not
   * move.
   */
  readonly moved?: number;
}

/** Returns the steps of two runs side by side, aligned by `parts`, the comparison of their subjects. */
export function alignedSteps(
  parts: readonly DiffPart[],
  left: readonly Group[],
  right: readonly Group[],
): AlignedStep[] {
  const rows: AlignedStep[] = [];
  let [l, r] = [0, 0];
  for (const part of parts) {
    const own = left.slice(l, l + part.left);
    const other = right.slice(r, r + part.right);
    if (part.kind === 'same')
      rows.push(...own.flatMap((step, index) => (other[index] ? { left: step, right: other[index] } : [])));
    else rows.push(...own.map((step) => ({ left: step })), ...other.map((step) => ({ right: step })));
    l += part.left;
    r += part.right;
  }
  return joinMoved(rows);
}

/** Joins a step of the first run with the same step at a different place in the second run. */
function joinMoved(rows: readonly AlignedStep[]): AlignedStep[] {
  const places = new Map(rows.map((row, index) => [row, index]));
  const waiting = Map.groupBy(
    rows.filter(({ left, right }) => !left && right),
    ({ right }) => (right ? subjectOf(right) : ''),
  );
  const moved = new Map<AlignedStep, AlignedStep>();
  for (const row of rows) {
    if (!row.left || row.right) continue;
    const found = waiting.get(subjectOf(row.left))?.shift();
    if (found) moved.set(row, found);
  }
  const taken = new Set(moved.values());
  return rows.flatMap((row, index): AlignedStep[] => {
    if (taken.has(row)) return [];
    const other = moved.get(row);
    if (!row.left || !other?.right) return [row];
    return [{ left: row.left, right: other.right, moved: distance(rows, index, places.get(other) ?? index) }];
  });
}

/** Returns how far apart two rows are, in steps of the second run; negative if `to` comes first. */
function distance(rows: readonly AlignedStep[], from: number, to: number): number {
  const between = rows.slice(Math.min(from, to), Math.max(from, to)).filter(({ right }) => right).length;
  // Two rows are at least one step apart.
  return (to > from ? 1 : -1) * Math.max(between, 1);
}

/** A payload and the run that contains it. The ref alone is ambiguous, because both runs use the same refs. */
export interface PlacedPayload<Scope = RunScope> {
  readonly stub: PayloadStub;
  readonly scope: Scope;
}

/** The payloads of the two runs at the same place in a step. */
export interface PayloadPair<Scope = RunScope> {
  /** The event's type and the path in its attributes. */
  readonly place: string;
  /** The title of the payloads: `Input`. */
  readonly title: string;
  /** Whether the payloads are a Core SDK's records about a local activity, not its input or result. */
  readonly isRecord: boolean;
  readonly left?: PlacedPayload<Scope>;
  readonly right?: PlacedPayload<Scope>;
}

const isLocalRecord = ({ attributes }: RecordedEvent, { path }: PayloadStub): boolean =>
  textAt(attributes, 'markerName') === 'core_local_activity' && path.startsWith('details.data.');

/** Returns a step's payloads, paired by place. */
export function payloadPairs<Scope>(step: AlignedStep, left: Scope, right: Scope): PayloadPair<Scope>[] {
  const pairs = new Map<string, PayloadPair<Scope>>();
  for (const [side, group, scope] of [
    ['left', step.left, left],
    ['right', step.right, right],
  ] as const) {
    for (const event of group?.events ?? []) {
      for (const stub of event.payloads) {
        const place = `${event.eventName} ${stub.path}`;
        const known = pairs.get(place) ?? {
          place,
          title: payloadTitle(stub, event.payloads),
          isRecord: isLocalRecord(event, stub),
        };
        pairs.set(place, { ...known, [side]: { stub, scope } });
      }
    }
  }
  return [...pairs.values()];
}

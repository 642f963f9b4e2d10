import type { PayloadStub, WorkflowDescription } from '@temporal-kms/codec-api';
import { type PendingWork, pendingWork, refsIn } from '@temporal-kms/histories/events';
import type { Group } from '../events/history.ts';

/** The failure of an attempt, as the server reported it while its activity or Nexus operation was pending. */
export interface SeenFailure {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** When the attempt ended, in milliseconds since 1970. */
  readonly endedAt: number | undefined;
  /** The failure in proto3 JSON, with placeholders instead of payloads. */
  readonly failure: unknown;
  /** The stubs of the failure's payloads, which later descriptions no longer list. */
  readonly stubs: readonly PayloadStub[];
}

/** Failures in the order of their attempts, by the key of the activity or Nexus operation. */
export type FailuresSeen = ReadonlyMap<string, readonly SeenFailure[]>;

type WorkId = Pick<PendingWork, 'kind' | 'id'>;

const keyOf = ({ kind, id }: WorkId): string => `${kind} ${id}`;

/** Returns the failures, one per attempt, that the server has reported for pending work while the page was open. */
export const failuresOfWork = (seen: FailuresSeen, work: WorkId): readonly SeenFailure[] =>
  seen.get(keyOf(work)) ?? [];

/** Like `failuresOfWork`, but for the work of a group. The work may have ended. */
export const failuresOf = (seen: FailuresSeen, { id, category, activityId }: Group): readonly SeenFailure[] =>
  failuresOfWork(
    seen,
    category === 'activity' ? { kind: 'activity', id: activityId ?? '' } : { kind: 'nexus', id: String(id) },
  );

/** Omits the last failure of pending work, because the page shows it in full. */
export const earlierFailures = (
  failures: readonly SeenFailure[],
  pending: PendingWork | undefined,
): readonly SeenFailure[] => (pending?.lastFailure === undefined ? failures : failures.slice(0, -1));

/**
 * Maximum number of stored failures, per activity or Nexus operation and in total: an activity may retry for
 * weeks, and a run may have 2,000 pending activities.
 */
const MOST_OF_WORK = 100;
const MOST = 5000;

/**
 * Adds the failures in a description to those seen before. Temporal keeps only the last failure of pending work, so the page
 * keeps each failure that it has seen. Returns `seen` itself if there is no new failure.
 */
export function withFailures(seen: FailuresSeen, description: WorkflowDescription): FailuresSeen {
  const next = new Map(seen);
  for (const work of pendingWork(description)) {
    const known = next.get(keyOf(work)) ?? [];
    if (work.lastFailure === undefined || isKnown(known.at(-1), work)) continue;
    const most = Math.max(1, Math.min(MOST_OF_WORK, Math.floor(MOST / (next.size + 1))));
    next.set(keyOf(work), [...known, seenFailure(work, description)].slice(-most));
  }
  return [...next].every(([key, failures]) => seen.get(key) === failures) ? seen : next;
}

/** Returns the number of the attempt that failed last, which is the one before the pending attempt. */
const failedAttempt = ({ attempt }: PendingWork): number => Math.max(attempt - 1, 1);

/** Returns whether the last failure is known. Compares end times too, because a reset activity counts attempts anew. */
const isKnown = (last: SeenFailure | undefined, work: PendingWork): boolean =>
  last?.attempt === failedAttempt(work) && last.endedAt === (work.lastEndedAt ?? last.endedAt);

function seenFailure(work: PendingWork, { payloads }: WorkflowDescription): SeenFailure {
  const refs = new Set(refsIn(work.lastFailure));
  return {
    attempt: failedAttempt(work),
    endedAt: work.lastEndedAt,
    failure: work.lastFailure,
    stubs: payloads.filter(({ ref }) => refs.has(ref)),
  };
}

import type { PayloadStub, WorkflowDescription } from '@temporal-kms/codec-api';
import { type PendingWork, pendingWork, refsIn } from '@temporal-kms/histories/events';
import type { Group } from '../events/history.ts';

/** The failure of an attempt, as the server reported it while a later attempt was pending. */
export interface SeenFailure {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** When the attempt ended, in milliseconds since 1970. */
  readonly endedAt: number | undefined;
  /** In proto3 JSON with placeholders. */
  readonly failure: unknown;
  /** The payloads of the failure, which a later description no longer lists. */
  readonly stubs: readonly PayloadStub[];
}

/** Failures by the key of their work, in the order of their attempts. */
export type FailuresSeen = ReadonlyMap<string, readonly SeenFailure[]>;

type WorkId = Pick<PendingWork, 'kind' | 'id'>;

const keyOf = ({ kind, id }: WorkId): string => `${kind} ${id}`;

/** The failures of attempts of pending work that the server has reported while the page was open. */
export const failuresOfWork = (seen: FailuresSeen, work: WorkId): readonly SeenFailure[] =>
  seen.get(keyOf(work)) ?? [];

/** The same for the work of a group, which may have ended. */
export const failuresOf = (seen: FailuresSeen, { id, category, activityId }: Group): readonly SeenFailure[] =>
  failuresOfWork(
    seen,
    category === 'activity' ? { kind: 'activity', id: activityId ?? '' } : { kind: 'nexus', id: String(id) },
  );

/** The failures before the last failure of pending work, which the page shows in full. */
export const earlierFailures = (
  failures: readonly SeenFailure[],
  pending: PendingWork | undefined,
): readonly SeenFailure[] => (pending?.lastFailure === undefined ? failures : failures.slice(0, -1));

/** Failures that are kept: an activity may retry for weeks, and a run may have 2,000 of them. */
const MOST_OF_WORK = 100;
const MOST = 5000;

/**
 * Adds the failures that a description contains. Temporal keeps the last failure of pending work only, so the page keeps those
 * that it has seen. Returns `seen` itself if nothing is new.
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

/** While an attempt is pending, the last failure is that of the attempt before it. */
const failedAttempt = ({ attempt }: PendingWork): number => Math.max(attempt - 1, 1);

/** A reset of the activity counts its attempts from 1 again. */
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

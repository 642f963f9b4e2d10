import {
  type CauseFrame,
  countReasons,
  type ReasonCounts,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { FailedRun, FailureOfRun } from './failed-run.ts';
import { framesOverRuns, type RunsStream, unreadRun } from './over-runs.ts';

interface CauseFramesOptions extends RunsStream {
  readonly start: Omit<Extract<CauseFrame, { type: 'start' }>, 'type'>;
  /** Determines why a run failed. */
  readonly read: (run: WorkflowSummary) => Promise<FailedRun>;
  /** Number of Cloud KMS calls so far. */
  readonly kmsCalls: () => number;
}

/** Yields why each run of a list failed, in the list's order. */
export async function* causeFrames({
  start,
  read,
  kmsCalls,
  ...stream
}: CauseFramesOptions): AsyncGenerator<CauseFrame, void> {
  const unreadable: ReasonCounts = {};
  const cost = () => ({ kmsCalls: kmsCalls(), unreadable: { ...unreadable } });
  yield { type: 'start', ...start };
  yield* framesOverRuns<FailureOfRun, CauseFrame>({
    ...stream,
    stream: 'causes',
    visit: (run) => read(run).catch((error: unknown) => unreadRun(error, stream, 'causes')),
    lines: (found) => {
      countReasons(unreadable, found.unreadable);
      return [{ type: 'run', ...found.cause }];
    },
    progress: (covered) => ({ type: 'progress', ...covered, ...cost() }),
    end: (end) => ({ type: 'end', ...end, ...cost() }),
  });
}

/**
 * Whether a run belongs to a sample, as determined by the random digits at the end of the run's id. The same
 * runs are in the sample each time, and a smaller sample is a part of a larger one.
 */
export const isSampled = (runId: string, share: number): boolean =>
  Number.parseInt(runId.slice(-8), 16) < share * 2 ** 32;

import {
  type CauseFrame,
  countReason,
  type ReasonCounts,
  reasonEntries,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import type { FailedRun } from './failed-run.ts';
import { FIRST_POSITION, type ListedRuns, MAX_FAILURES, overRuns } from './over-runs.ts';
import { PROGRESS_MS, type StreamLifetime, streamEnd } from './stream-limits.ts';

interface CauseFramesOptions extends ListedRuns {
  readonly log: Logger;
  readonly lifetime: StreamLifetime;
  readonly start: Omit<Extract<CauseFrame, { type: 'start' }>, 'type'>;
  /** Reads why a run failed. */
  readonly read: (run: WorkflowSummary) => Promise<FailedRun>;
  /** Number of Cloud KMS calls so far. */
  readonly kmsCalls: () => number;
}

type Counts = Omit<Extract<CauseFrame, { type: 'progress' }>, 'type'>;

/**
 * Yields why each run of a list failed, in the order of the list. Continuing at `after` misses no run, as for
 * `overRuns`.
 */
export async function* causeFrames(options: CauseFramesOptions): AsyncGenerator<CauseFrame, void> {
  const { lifetime, log, start, read, kmsCalls } = options;
  const counts = { after: options.after ?? FIRST_POSITION, runs: 0, failed: 0 };
  const unreadable: ReasonCounts = {};
  const value = (): Counts => ({ ...counts, kmsCalls: kmsCalls(), unreadable: { ...unreadable } });
  /** A run that cannot be read does not end the stream: its retention period may have ended. */
  const attempt = (run: WorkflowSummary): Promise<FailedRun | { status: 'failed'; message?: string }> =>
    read(run).catch((error: unknown) => {
      const end = streamEnd(error, lifetime, log, 'causes');
      if (end === undefined || end.reason !== 'error') throw error;
      return { status: 'failed', ...(end.message !== undefined && { message: end.message }) };
    });
  let lastProgress = Date.now();
  let failures = 0;
  try {
    yield { type: 'start', ...start };
    for await (const { position, result } of overRuns(options, attempt)) {
      await lifetime.checkpoint();
      // A client must not see a run that a continued request would repeat.
      if (lifetime.interruption() !== undefined) throw new Error('The stream has to end.');
      if (result.status === 'limit') {
        yield { type: 'end', reason: 'limit', ...value() };
        return;
      }
      counts.after = position;
      if (result.status === 'failed') {
        counts.failed += 1;
        failures += 1;
        if (failures <= MAX_FAILURES) continue;
        yield {
          type: 'end',
          reason: 'error',
          ...value(),
          ...(result.message && { message: result.message }),
        };
        return;
      }
      failures = 0;
      if (result.status === 'read') {
        counts.runs += 1;
        for (const [reason, count] of reasonEntries(result.unreadable))
          countReason(unreadable, reason, count);
        yield { type: 'run', ...result.cause };
      }
      if (Date.now() - lastProgress < PROGRESS_MS) continue;
      lastProgress = Date.now();
      yield { type: 'progress', ...value() };
    }
    yield { type: 'end', reason: 'complete', ...value() };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'causes');
    if (end !== undefined) yield { type: 'end', ...end, ...value() };
  }
}

/**
 * Whether a run belongs to a sample: run ids end in random digits. The same runs are in the sample each time,
 * and a smaller sample is a part of a larger one.
 */
export const isSampled = (runId: string, share: number): boolean =>
  Number.parseInt(runId.slice(-8), 16) < share * 2 ** 32;

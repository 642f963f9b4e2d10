import { Context } from '@temporalio/activity';
import type { RangeSource } from '../../temporal/scan-source.ts';
import type { ScanState } from '../state.ts';
import type { References } from '../stored-objects.ts';
import { MAX_ATTEMPTS, type ScanActivities, type ShardInput } from './contract.ts';
import { isExpected, toFailure } from './failures.ts';
import { planShards } from './plan.ts';
import { type Checkpoint, scanRange } from './scan-range.ts';

/**
 * Milliseconds between heartbeats. Temporal's SDK sends only some of the heartbeats, depending on the
 * heartbeat timeout.
 */
const HEARTBEAT_MS = 2_000;

export interface ActivityDeps {
  /**
   * Returns the calls with which a worker reads a namespace.
   * @param rps this activity's share of the permitted calls per second
   */
  readonly sourceOf: (namespace: string, rps: number) => RangeSource;
  /** Returns the summaries of closed runs that this worker keeps. */
  readonly stateOf: (namespaceId: string, retentionSeconds: number) => Promise<ScanState | undefined>;
  /**
   * Returns the reader of the objects to which histories refer. Without this function, each reference counts as a gap.
   */
  readonly referencesOf?: ((shard: ShardInput, signal: AbortSignal) => References) | undefined;
  readonly now: () => Date;
}

export function createActivities({ sourceOf, stateOf, referencesOf, now }: ActivityDeps): ScanActivities {
  return {
    planShards: ({ namespace, range, rps, slots, shardSize }) =>
      withHeartbeats(() => planShards(sourceOf(namespace, rps), range, slots, now().getTime(), shardSize)),

    scanShard: (shard) =>
      withHeartbeats(async ({ from, checkpoint, signal }) =>
        scanRange({
          source: sourceOf(shard.namespace, shard.rps),
          range: shard.range,
          keyIds: shard.keyIds,
          state: await stateOf(shard.namespaceId, shard.retentionSeconds),
          references: referencesOf?.(shard, signal),
          from,
          isLastAttempt: Context.current().info.attempt >= MAX_ATTEMPTS,
          checkpoint,
          signal,
        }),
      ),
  };
}

interface Progress {
  readonly from: Checkpoint | undefined;
  readonly checkpoint: (checkpoint: Checkpoint) => void;
  readonly signal: AbortSignal;
}

/** Sends heartbeats with the latest checkpoint while the work runs. @throws ApplicationFailure */
async function withHeartbeats<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const context = Context.current();
  let last: Checkpoint | undefined = context.info.heartbeatDetails;
  const timer = setInterval(() => context.heartbeat(last), HEARTBEAT_MS);
  try {
    return await work({
      from: last,
      checkpoint: (checkpoint) => {
        last = checkpoint;
        context.heartbeat(checkpoint);
      },
      signal: context.cancellationSignal,
    });
  } catch (error) {
    // After a cancellation, this promise rejects with the CancelledFailure that the SDK expects.
    if (context.cancellationSignal.aborted) await context.cancelled;
    if (!isExpected(error)) context.log.error('Scanning a part failed', { error });
    throw toFailure(error);
  } finally {
    clearInterval(timer);
  }
}

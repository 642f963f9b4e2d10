import {
  ActivityFailure,
  ApplicationFailure,
  continueAsNew,
  defineQuery,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { emptyPart, mergeParts, type ScanPart } from '../part.ts';
import type { TimeRange } from '../passes.ts';
import type { RunsFound } from '../remote-runs.ts';
import {
  MAX_ATTEMPTS,
  MAX_SLOTS,
  PROGRESS_QUERY,
  type ScanActivities,
  type ScanInput,
  type ScanStatus,
} from './contract.ts';
import { mergeStage, type MutableProgress, runStages, startProgress } from './stages.ts';

const { planShards, scanShard } = proxyActivities<ScanActivities>({
  // A worker that was killed sends no heartbeat: another continues its shard after this time.
  heartbeatTimeout: '20 seconds',
  startToCloseTimeout: '12 hours',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute', maximumAttempts: MAX_ATTEMPTS },
});

/** Temporal Cloud permits 30 calls of its visibility API per second, and others need some: https://docs.temporal.io/cloud/limits */
const MAX_COUNTS_PER_SECOND = 20;

/** The workflow of a scan on Temporal: plans shards, and has them scanned by at most as many activities as there are slots. */
export async function temporalKmsScan(input: ScanInput): Promise<RunsFound> {
  const { settleMs } = input;
  const progress: MutableProgress = { ...(input.progress ?? startProgress(Date.now(), settleMs)) };
  let running = 0;
  setHandler(defineQuery<ScanStatus>(PROGRESS_QUERY), () => {
    const { open, closed } = mergeParts(progress.found, progress.stageFound).looked;
    return {
      stage: progress.stage.kind,
      shardsDone: progress.shardsDone,
      shardsRunning: running,
      runs: open.histories + closed.histories,
    };
  });
  return await runStages(progress, { settleMs, now: () => Date.now(), sleep, runStage });

  /** Runs the rest of the stage. At most one activity plans; all have equal shares of the rate, unless one runs alone. */
  async function runStage(): Promise<void> {
    const { namespace, namespaceId, keyIds, rps } = input;
    const scope = { namespace, namespaceId, keyIds };
    const most = Math.min(MAX_SLOTS, rps);
    const active = new Set<Promise<void>>();
    const start = (work: () => Promise<void>): void => {
      const done = work().finally(() => {
        active.delete(done);
      });
      active.add(done);
    };
    const plan = async (share: number): Promise<void> => {
      const { rest, shardSize } = progress;
      if (rest === undefined) return;
      delete progress.rest;
      try {
        const planned = await planShards({
          ...scope,
          range: rest,
          rps: share,
          slots: most,
          ...(shardSize === undefined ? {} : { shardSize }),
        });
        progress.shards = [...progress.shards, ...planned.shards];
        progress.shardSize = planned.shardSize;
        if (planned.rest !== undefined) progress.rest = planned.rest;
      } catch (error) {
        progress.stageFound = mergeParts(progress.stageFound, missed(error));
      }
    };
    const scan = async (range: TimeRange): Promise<void> => {
      running += 1;
      const share = rps / (progress.slots ?? most);
      const part = await scanShard({ ...scope, range, rps: share }).catch(missed);
      progress.stageFound = mergeParts(progress.stageFound, part);
      progress.shardsDone += 1;
      running -= 1;
    };
    let isPlanning = false;
    for (;;) {
      const isFull = workflowInfo().continueAsNewSuggested;
      if (active.size === 0) {
        if (isFull) await continueHere();
        if (progress.shards.length === 0) {
          if (progress.rest === undefined) return;
          await plan(Math.min(rps, MAX_COUNTS_PER_SECOND));
          // A few shards share the whole rate.
          progress.slots ??= progress.rest === undefined ? Math.min(most, progress.shards.length) : most;
          continue;
        }
      }
      const { slots = most } = progress;
      for (let free = isFull ? 0 : slots - active.size; free > 0; free -= 1) {
        const [range, ...shards] = progress.shards;
        if (progress.rest !== undefined && shards.length < slots && !isPlanning) {
          isPlanning = true;
          start(() =>
            plan(Math.min(rps / slots, MAX_COUNTS_PER_SECOND)).finally(() => {
              isPlanning = false;
            }),
          );
        } else if (range !== undefined) {
          progress.shards = shards;
          start(() => scan(range));
        } else break;
      }
      await Promise.race(active);
    }
  }

  async function continueHere(): Promise<never> {
    mergeStage(progress);
    return await continueAsNew<typeof temporalKmsScan>({ ...input, progress });
  }
}

/** What could not be read, as a gap. @throws a cancellation */
function missed(error: unknown): ScanPart {
  if (isCancellation(error)) throw error;
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const known = cause instanceof ApplicationFailure ? cause : undefined;
  const kind = known?.type === 'not_permitted' || known?.type === 'unavailable' ? known.type : 'unreadable';
  const message =
    known?.type === kind && known.message
      ? known.message
      : 'A part of the runs could not be read: the logs of the workers contain the reason.';
  const empty = emptyPart();
  const failed = { status: 'partial' as const, histories: 0, read: 0, payloads: 0 };
  return {
    ...empty,
    looked: { ...empty.looked, open: failed, closed: failed },
    gaps: (['open', 'closed'] as const).map((place) => ({ kind, place, message })),
  };
}

import { mergeParts, type ScanPart } from '../scan-part.ts';
import type { TimeRange } from '../passes.ts';
import { MAX_SLOTS, type Plan } from './contract.ts';
import { mergeStage, type MutableProgress } from './stages.ts';

/**
 * Temporal Cloud permits 30 calls to its visibility API per second, and other clients need some of them:
 * https://docs.temporal.io/cloud/limits
 */
const MAX_COUNTS_PER_SECOND = 20;

/** An activity's work: a range of start times, and the activity's share of the rate, in calls per second. */
interface Work {
  readonly range: TimeRange;
  readonly rps: number;
}

export interface StageWork {
  /** Maximum number of calls to Temporal per second, for all activities together. */
  readonly rps: number;
  /** Divides the range into shards. */
  readonly plan: (work: Work & { readonly slots: number; readonly shardSize?: number }) => Promise<Plan>;
  readonly scan: (work: Work) => Promise<ScanPart>;
  /** Returns gaps for the runs that a failed activity could not read. @throws if the scan must end */
  readonly missed: (error: unknown) => ScanPart;
  /** Whether this run of the workflow is so long that it must continue as new soon. */
  readonly isFull: () => boolean;
  /** Ends this run of the workflow. The next run of the workflow continues from the progress. */
  readonly continueAsNew: (progress: MutableProgress) => Promise<never>;
}

/**
 * Runs the rest of a stage: plans shards, and scans them in at most as many activities as there are slots. At most one
 * activity plans at a time. All activities have equal shares of the rate, but a planning activity that runs alone has
 * the whole rate. Once `isFull` returns true, starts no more activities, and continues as new when all activities have
 * ended.
 */
export async function runStage(
  progress: MutableProgress,
  { rps, plan, scan, missed, isFull, continueAsNew }: StageWork,
): Promise<void> {
  const most = Math.min(MAX_SLOTS, rps);
  const active = new Map<number, Promise<void>>();
  let started = 0;
  let isPlanning = false;
  for (;;) {
    const isRunFull = isFull();
    if (active.size === 0) {
      if (isRunFull) {
        mergeStage(progress);
        await continueAsNew(progress);
      }
      if (progress.shards.length === 0) {
        if (progress.rest === undefined) return;
        await planNext(progress.rest, rps);
        // If the stage has only a few shards, they share the whole rate.
        progress.slots ??= progress.rest === undefined ? Math.min(most, progress.shards.length) : most;
        continue;
      }
    }
    const { slots = most } = progress;
    const share = rps / slots;
    for (let free = isRunFull ? 0 : slots - active.size; free > 0; free -= 1) {
      const [range, ...shards] = progress.shards;
      if (progress.rest !== undefined && shards.length < slots && !isPlanning) {
        isPlanning = true;
        start(planNext(progress.rest, share));
      } else if (range !== undefined) {
        progress.shards = shards;
        start(scanNext(range, share));
      } else break;
    }
    await Promise.race(active.values());
  }

  function start(work: Promise<void>): void {
    started += 1;
    active.set(started, untilEnded(started, work));
  }

  /** Failed work remains in `active`, so that the next `Promise.race` rejects with the work's error. */
  async function untilEnded(id: number, work: Promise<void>): Promise<void> {
    await work;
    active.delete(id);
  }

  async function planNext(range: TimeRange, share: number): Promise<void> {
    const { shardSize } = progress;
    delete progress.rest;
    try {
      const planned = await plan({
        range,
        rps: Math.min(share, MAX_COUNTS_PER_SECOND),
        slots: most,
        ...(shardSize === undefined ? {} : { shardSize }),
      });
      progress.shards = [...progress.shards, ...planned.shards];
      progress.shardSize = planned.shardSize;
      if (planned.rest !== undefined) progress.rest = planned.rest;
    } catch (error) {
      progress.stageFound = mergeParts(progress.stageFound, missed(error));
    } finally {
      isPlanning = false;
    }
  }

  async function scanNext(range: TimeRange, share: number): Promise<void> {
    const part = await scan({ range, rps: share }).catch(missed);
    progress.stageFound = mergeParts(progress.stageFound, part);
    progress.shardsDone += 1;
  }
}

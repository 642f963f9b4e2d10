import { emptyPart, mergeParts } from '../scan-part.ts';
import { firstStage, isTooLong, nextStage, settleTime, type Stage, type TimeRange } from '../passes.ts';
import type { RunsFound } from '../remote-runs.ts';
import type { ScanProgress } from './contract.ts';

/** The progress of a scan, with fields that can be changed. */
export type MutableProgress = { -readonly [Field in keyof ScanProgress]: ScanProgress[Field] };

export interface StageDeps {
  /** How long a run may take to appear in Temporal's lists, in milliseconds. */
  readonly settleMs: number;
  /** Returns the present time in milliseconds since 1970. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
  /** Scans the shards and the rest of the stage's range, and adds the findings to `stageFound`. */
  readonly runStage: () => Promise<void>;
}

export function startProgress(now: number, settleMs: number): MutableProgress {
  const stage = firstStage(now, settleMs);
  return { stage, found: emptyPart(), stageFound: emptyPart(), shards: [], shardsDone: 0, ...restOf(stage) };
}

/**
 * Adds the stage's findings to the findings of the completed stages, before the scan continues as new, so that the next
 * input contains only one list of keys. The findings of the stage `newest` stay separate, because they may be
 * discarded.
 */
export function mergeStage(progress: MutableProgress): void {
  if (progress.stage.kind === 'newest') return;
  progress.found = mergeParts(progress.found, progress.stageFound);
  progress.stageFound = emptyPart();
}

/** Runs the stages in order, beginning at the given progress, until the scan has seen all runs. */
export async function runStages(
  progress: MutableProgress,
  { settleMs, now, sleep, runStage }: StageDeps,
): Promise<RunsFound> {
  for (;;) {
    await runStage();
    const { stage } = progress;
    const ended = now();
    // If the stage took too long, discards its findings, because the next stage scans the newest runs again.
    if (stage.kind !== 'newest' || !isTooLong(stage, ended))
      progress.found = mergeParts(progress.found, progress.stageFound);
    progress.stageFound = emptyPart();
    const wait = settleTime(stage, ended, settleMs);
    if (wait > 0) await sleep(wait);
    const next = nextStage(stage, wait > 0 ? now() : ended, settleMs);
    if (next === undefined) return { part: progress.found, listedUntil: stage.start };
    progress.stage = next;
    delete progress.shardSize;
    delete progress.slots;
    Object.assign(progress, restOf(next));
  }
}

/** Returns the range that remains to be planned: the stage's range, unless it is empty. */
const restOf = ({ range }: Stage): { rest?: TimeRange } =>
  range.to !== undefined && range.to <= range.from ? {} : { rest: range };

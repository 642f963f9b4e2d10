import { MAX_SKEW_MS, type TimeRange } from '../passes.ts';
import type { RangeSource } from '../../temporal/scan-source.ts';
import type { Plan } from './contract.ts';

/** Runs of a shard: a worker that is killed loses at most the work on a page of them. */
const MAX_SHARD_SIZE = 2_000;
const MIN_SHARD_SIZE = 100;
/** Shards of a small namespace per slot, so that the slots end at about the same time. */
const SHARDS_PER_SLOT = 2;
/** Shards that are planned at once. The result of an activity must be small. */
const MAX_SHARDS = 64;

/** Returns a visibility query for the runs that were started in a range. */
export function queryFor({ from, to }: TimeRange): string {
  const since = `StartTime >= "${new Date(from).toISOString()}"`;
  return to === undefined ? since : `${since} AND StartTime < "${new Date(to).toISOString()}"`;
}

/**
 * Divides a range of start times into shards with at most `shardSize` runs, by counting. Empty ranges are left out. A shard has
 * more runs if they were started in the same millisecond.
 *
 * @param shardSize default: by the number of runs and slots
 * @returns the first shards, and the rest of the range if there are more
 */
export async function planShards(
  source: Pick<RangeSource, 'countRuns'>,
  range: TimeRange,
  slots: number,
  now: number,
  shardSize?: number,
): Promise<Plan> {
  const count = (part: TimeRange) => source.countRuns(queryFor(part));
  const shards: TimeRange[] = [];
  const total = await count(range);
  const wanted = Math.ceil(total / (slots * SHARDS_PER_SLOT));
  const size = shardSize ?? Math.min(MAX_SHARD_SIZE, Math.max(MIN_SHARD_SIZE, wanted));
  /** Ranges in the order of time, the first last. */
  const open = [{ part: range, runs: total }];
  for (;;) {
    const next = open.pop();
    if (next === undefined) return { shards, shardSize: size };
    const { part } = next;
    if (shards.length === MAX_SHARDS) return { shards, rest: { ...range, from: part.from }, shardSize: size };
    const middle = middleOf(part, now);
    // A difference of counts that were made at different times proves nothing.
    const runs = next.runs > 0 ? next.runs : await count(part);
    // Without an end, runs that start after the count belong to the range too.
    if (runs === 0 && part.to !== undefined) continue;
    if (runs <= size || middle === undefined) {
      shards.push(part);
      continue;
    }
    const first = { from: part.from, to: middle };
    const inFirst = await count(first);
    open.push({ part: { ...part, from: middle }, runs: runs - inFirst });
    if (inFirst > 0) open.push({ part: first, runs: inFirst });
  }
}

/**
 * Undefined: the range cannot be divided. In a range without an end, runs may have started after now, because Temporal's clock
 * decides. If the middle were never after them, they would be divided a millisecond at a time.
 */
function middleOf({ from, to }: TimeRange, now: number): number | undefined {
  const middle = Math.floor((from + (to ?? Math.max(now + MAX_SKEW_MS, from + 2))) / 2);
  return middle > from && (to === undefined || middle < to) ? middle : undefined;
}

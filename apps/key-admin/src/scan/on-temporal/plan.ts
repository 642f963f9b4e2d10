import { MAX_SKEW_MS, type TimeRange } from '../passes.ts';
import type { RangeSource } from '../../temporal/scan-source.ts';
import type { Plan } from './contract.ts';

/** Maximum number of runs in a shard. A killed worker loses at most its work on one page of runs. */
const MAX_SHARD_SIZE = 2_000;
const MIN_SHARD_SIZE = 100;
/**
 * Number of shards per slot in a small namespace. With several shards per slot, all slots finish at about the
 * same time.
 */
const SHARDS_PER_SLOT = 2;
/** Maximum number of shards that one activity plans, because an activity's result must be small. */
const MAX_SHARDS = 64;

/** Returns a visibility query for the runs that were started in a range. */
export function queryFor({ from, to }: TimeRange): string {
  const since = `StartTime >= "${new Date(from).toISOString()}"`;
  return to === undefined ? since : `${since} AND StartTime < "${new Date(to).toISOString()}"`;
}

/**
 * Divides a range of start times into shards with at most `shardSize` runs, by counting runs. Leaves out empty ranges.
 * A shard has more runs only if its runs started in the same millisecond.
 *
 * @param shardSize the default depends on the number of runs and slots
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
  /** The ranges that are not divided yet, the latest first. */
  const open = [{ part: range, runs: total }];
  for (;;) {
    const next = open.pop();
    if (next === undefined) return { shards, shardSize: size };
    const { part } = next;
    if (shards.length === MAX_SHARDS) return { shards, rest: { ...range, from: part.from }, shardSize: size };
    const middle = middleOf(part, now);
    // Counts again if the difference of two counts is zero, because the counts were made at different times.
    const runs = next.runs > 0 ? next.runs : await count(part);
    // A range without an end also contains runs that start after the count.
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
 * Returns the time that divides a range in two, or undefined if the range cannot be divided. A range without
 * an end may contain runs that started after `now`, because Temporal's clock may be ahead. If `now` counted as the end,
 * a range with these runs would be divided one millisecond at a time.
 */
function middleOf({ from, to }: TimeRange, now: number): number | undefined {
  const middle = Math.floor((from + (to ?? Math.max(now + MAX_SKEW_MS, from + 2))) / 2);
  return middle > from && (to === undefined || middle < to) ? middle : undefined;
}

import type { Located, Opener } from './open-one.ts';

type Counter = Pick<Opener, 'unopened'>;

/** A payload that isn't at hand may be under any data key. */
type Perhaps = Located | undefined;

/**
 * How many of the first items can be opened with at most `budget` answers of Cloud KMS, one a data key that isn't at
 * hand, and how many answers they take.
 * @param items the payloads of each
 */
export function affordable(
  codec: Counter,
  items: readonly (readonly Perhaps[])[],
  budget: number,
): { readonly count: number; readonly cost: number } {
  const costOfFirst = (count: number): number => costOf(codec, items.slice(0, count).flat());
  const all = costOfFirst(items.length);
  if (all <= budget) return { count: items.length, cost: all };
  let [enough, cost, tooMany] = [0, 0, items.length];
  while (tooMany - enough > 1) {
    const middle = Math.floor((enough + tooMany) / 2);
    const needed = costOfFirst(middle);
    if (needed <= budget) [enough, cost] = [middle, needed];
    else tooMany = middle;
  }
  return { count: enough, cost };
}

/** Each in its own context: in another workflow's a bound payload is refused, and would count for nothing. */
function costOf(codec: Counter, payloads: readonly Perhaps[]): number {
  const held = payloads.filter((one) => one !== undefined);
  const byWorkflow = Map.groupBy(held, ({ context }) => context.workflowId);
  let cost = payloads.length - held.length;
  for (const group of byWorkflow.values()) {
    cost += codec.unopened(
      group.map(({ payload }) => payload),
      group[0]?.context,
    );
  }
  return cost;
}

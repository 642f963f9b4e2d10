import { MAX_UNOPENED } from '../keys/kms-limits.ts';
import type { Located, Opener } from './open-one.ts';

type Counter = Pick<Opener, 'unopened' | 'allowance'>;

/** A payload that isn't at hand may be under any data key. */
type Perhaps = Located | undefined;

/** How much one request may make the server ask Cloud KMS for: an answer a data key that isn't at hand. */
export class KeyBudget {
  readonly #codec: Counter;
  #left = MAX_UNOPENED;
  #isSpent = false;

  constructor(codec: Counter) {
    this.#codec = codec;
  }

  /** Something was left out. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /**
   * @param items the payloads of each
   * @returns how many of the first may be opened; the very first whatever it needs, or asking again would change nothing
   */
  take(items: readonly (readonly Perhaps[])[]): number {
    const { allowance } = this.#codec;
    const left = Math.min(this.#left, allowance?.available() ?? this.#left);
    const { count, cost } = affordable(this.#codec, items, left);
    const isForced = count === 0 && items.length > 0 && this.#left === MAX_UNOPENED;
    const taken = isForced ? 1 : count;
    this.#left = isForced ? 0 : this.#left - cost;
    allowance?.take(cost);
    this.#isSpent = taken < items.length;
    return taken;
  }
}

/**
 * How many of the first items can be opened with at most `budget` answers of Cloud KMS, one a data key that isn't at
 * hand, and how many answers they take.
 * @param items the payloads of each
 */
function affordable(
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

import type { InnerKmsCalls } from '@temporal-kms/kms-codec';
import { MAX_UNOPENED } from '../keys/kms-limits.ts';
import type { Located, Opener } from './open-one.ts';

type Counter = Pick<Opener, 'unopened' | 'allowance'>;

/** A payload that isn't at hand may be under any data key. */
type Perhaps = Located | undefined;

/** A layer inside a payload would need more answers of Cloud KMS than its request has left: asking again goes on. */
export class KeyBudgetSpent extends Error {}

/** How much one request may make the server ask Cloud KMS for: an answer a data key that isn't at hand. */
export class KeyBudget {
  readonly #codec: Counter;
  #left = MAX_UNOPENED;
  #isSpent = false;
  readonly #inner = new Set<string>();
  #leftOut = 0;

  constructor(codec: Counter) {
    this.#codec = codec;
  }

  /** Something was left out. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** Payloads that were taken, and then left out for what is inside them. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** For layers inside payloads, which are met only when these are decrypted. @throws KeyBudgetSpent */
  readonly innerKmsCalls: InnerKmsCalls = {
    reserve: (ids) => {
      const more = ids.filter((id) => !this.#inner.has(id));
      // As in `take`, what needs all of it by itself gets it.
      if (more.length > this.#left && this.#left < MAX_UNOPENED) {
        this.#isSpent = true;
        this.#leftOut += 1;
        throw new KeyBudgetSpent();
      }
      for (const id of more) this.#inner.add(id);
      this.#left = Math.max(0, this.#left - more.length);
    },
  };

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
    this.#isSpent ||= taken < items.length;
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

interface Options<Item, Result> {
  readonly start: (item: Item) => Promise<Result>;
  readonly weigh: (item: Item) => number;
  /** New items are started while those under way, and those not yet taken, weigh less than this together. */
  readonly limit: number;
}

/** The results in the order in which they are ready. `start` must not reject. */
export async function* inCompletionOrder<Item, Result>(
  items: readonly Item[],
  { start, weigh, limit }: Options<Item, Result>,
): AsyncGenerator<Result, void> {
  const waiting = items.values();
  const ready: { result: Result; weight: number }[] = [];
  let wake = Promise.withResolvers<void>();
  let weight = 0;
  let left = items.length;

  const begin = async (item: Item): Promise<void> => {
    const own = weigh(item);
    weight += own;
    ready.push({ result: await start(item), weight: own });
    wake.resolve();
  };

  while (left > 0) {
    for (;;) {
      if (weight >= limit) break;
      const next = waiting.next();
      if (next.done) break;
      void begin(next.value);
    }
    await wake.promise;
    wake = Promise.withResolvers<void>();
    for (let one = ready.shift(); one !== undefined; one = ready.shift()) {
      left -= 1;
      yield one.result;
      weight -= one.weight;
    }
  }
}

/**
 * Does the work for every item, in order, for at most `lanes` items at the same time.
 * @param widthOf the number of lanes that an item takes, by default 1
 */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
  widthOf: (item: T) => number = () => 1,
): Promise<void> {
  const running = new Map<Promise<void>, number>();
  const used = (): number => [...running.values()].reduce((sum, width) => sum + width, 0);
  for (const item of items) {
    const width = Math.min(widthOf(item), lanes);
    while (used() + width > lanes) await Promise.race(running.keys());
    const done = work(item).finally(() => running.delete(done));
    running.set(done, width);
  }
  await Promise.all(running.keys());
}

/**
 * A value, or a promise of a value. Frequently used code creates a promise only if it must wait for Cloud KMS
 * or for a budget.
 */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls `use` with the value. Does so synchronously or, if the value is a promise, once the promise resolves.
 */
export const andThen = <T, R>(value: MaybePromise<T>, use: (value: T) => MaybePromise<R>): MaybePromise<R> =>
  value instanceof Promise ? value.then((settled) => use(settled)) : use(value);

/**
 * Maps items to results in order. Creates no promise if all results are synchronous. If one item fails, also
 * handles the other items' rejections.
 * @throws what `map` throws
 */
export function mapInOrder<T, R>(
  items: readonly T[],
  map: (item: T, index: number) => MaybePromise<R>,
): MaybePromise<R[]> {
  const [only] = items;
  if (items.length === 1 && only !== undefined) {
    const result = map(only, 0);
    return result instanceof Promise ? result.then((settled) => [settled]) : [result];
  }
  const results: MaybePromise<R>[] = [];
  let isPending = false;
  try {
    for (let index = 0; index < items.length; index += 1) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The index is below the length.
      const result = map(items[index] as T, index);
      isPending ||= result instanceof Promise;
      results.push(result);
    }
  } catch (error) {
    for (const result of results) if (result instanceof Promise) result.catch(() => undefined);
    throw error;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- No result is a promise.
  return isPending ? Promise.all(results) : (results as R[]);
}

/** `Promise.withResolvers`, which Node 20 lacks. */
export function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: PromiseWithResolvers<T>['resolve'];
  let reject!: PromiseWithResolvers<T>['reject'];
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

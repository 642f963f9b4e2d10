/** The hot paths are synchronous: a promise is made only where Cloud KMS, or a budget, has to be waited for. */
export type MaybePromise<T> = T | Promise<T>;

/** Calls `use` with the value: at once when it is there, else when its promise resolves. */
export const andThen = <T, R>(value: MaybePromise<T>, use: (value: T) => MaybePromise<R>): MaybePromise<R> =>
  value instanceof Promise ? value.then((settled) => use(settled)) : use(value);

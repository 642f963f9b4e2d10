/** A round was disturbed if it took more than this many times as long as the fastest round. */
export const MOST_RATIO = 3;

/**
 * The first requests after the start take a few tenths of a second longer, because they open connections and
 * V8 optimizes the code.
 */
const START_SECONDS = 1;

export const differTooMuch = (seconds: readonly number[]): boolean =>
  Math.max(...seconds) > Math.max(MOST_RATIO * Math.min(...seconds), START_SECONDS);

/** If a round takes more than this many times as long as the fastest, something kept the round waiting. */
export const MOST_RATIO = 3;

/**
 * The first requests after the start take some tenths of a second longer because of connections and V8's
 * optimizations.
 */
const START_SECONDS = 1;

export const differTooMuch = (seconds: readonly number[]): boolean =>
  Math.max(...seconds) > Math.max(MOST_RATIO * Math.min(...seconds), START_SECONDS);

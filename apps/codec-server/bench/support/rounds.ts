/** A round above this many times the fastest shows that something kept it waiting. */
export const MOST_RATIO = 3;

/** The first requests after the start take some tenths of a second more: connections, V8's optimizations. */
const START_SECONDS = 1;

export const differTooMuch = (seconds: readonly number[]): boolean =>
  Math.max(...seconds) > Math.max(MOST_RATIO * Math.min(...seconds), START_SECONDS);

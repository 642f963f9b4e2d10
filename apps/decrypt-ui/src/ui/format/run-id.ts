/**
 * Returns the end of a run id, which tells runs apart. A run id is a UUIDv7, which begins with the time, so
 * the ids of runs from the same minute begin alike.
 */
export const shortRunId = (runId: string): string => `…${runId.slice(-8)}`;

/** Converts a timestamp of Temporal's API to milliseconds since 1970. */
export const milliseconds = (
  time: { seconds?: unknown; nanos?: number | null } | null | undefined,
): number | undefined =>
  time ? Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1_000_000) : undefined;

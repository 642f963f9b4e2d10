export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** With what lies behind it: `fetch` says of every failure that it failed. */
export function withCause(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${codeOf(cause) ?? messageOf(cause)}`;
}

/** For faults that nobody foresaw: their messages may quote what was being read. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** Node's own code, such as `EACCES`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

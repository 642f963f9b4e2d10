export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For faults that nobody foresaw: their messages may quote what was being read. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/** Node's own code, such as `EACCES`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

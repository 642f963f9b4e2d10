/** For errors that arise before any payload is at hand. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

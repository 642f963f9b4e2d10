/** Returns an error's message. Only for errors that occur before any payload is read: others may contain plaintext. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

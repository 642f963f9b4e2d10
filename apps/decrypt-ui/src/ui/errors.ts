/** Returns the thrown value if it is an error, otherwise an error that describes it. */
export const errorOf = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(messageOf(thrown));

/** Returns the message of a thrown value. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** Returns whether a part of the application could not be loaded: `import()` rejects with one of these messages. */
export const isNotLoaded = (thrown: unknown): boolean =>
  /dynamically imported module|importing a module script|unable to preload/i.test(messageOf(thrown));

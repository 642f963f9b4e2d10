/** An error's class and its kind. Both are identifiers that stand in code; messages and stacks are content. */
export function errorFields(error: unknown): { error?: string; errorType?: string } {
  if (!(typeof error === 'object' && error !== null)) return {};
  const name = 'name' in error && typeof error.name === 'string' ? error.name : 'Error';
  return 'type' in error && typeof error.type === 'string'
    ? { error: name, errorType: error.type }
    : { error: name };
}

/** For errors that arise before any payload is at hand. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

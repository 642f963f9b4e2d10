/** Returns whether a value is an object, which includes arrays. */
export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

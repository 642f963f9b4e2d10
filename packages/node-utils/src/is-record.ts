import { isObject } from './is-object.ts';

/** Returns whether a value is an object but not an array. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && !Array.isArray(value);

/**
 * Returns an error's message. The message may contain plaintext, unless the error occurred before any payload
 * was read.
 */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Returns a property of an unknown value, or undefined if the value is not an object. */
export const propertyOf = (value: unknown, name: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

/** Returns Node's error code, such as `EACCES`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** The error of a gRPC call: the status and, if gax made the call, the decoded details. */
export interface ServiceError extends Error {
  readonly code: number;
  readonly statusDetails?: readonly unknown[];
}

export const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';

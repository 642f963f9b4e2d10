/** Returns an error's message. It may contain plaintext, unless the error occurs before any payload is read. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Returns a property of a value that others have made, which may be no object. */
export const propertyOf = (value: unknown, name: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

/** Returns Node's error code, such as `EACCES`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** An error of a gRPC call: the status, and with gax its decoded details. */
export interface ServiceError extends Error {
  readonly code: number;
  readonly statusDetails?: readonly unknown[];
}

export const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';

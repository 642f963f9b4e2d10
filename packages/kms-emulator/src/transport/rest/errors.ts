import type { KmsError, StatusName } from '../../model/errors.ts';

/** The HTTP status of each code (google/rpc/code.proto). */
export const httpStatus = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
} as const satisfies Record<StatusName, number>;

/** Returns an error in the form of Google's REST APIs (cloud.google.com/apis/design/errors#http_mapping). */
export function errorBody({ status, message, details: { violations, info } }: KmsError): object {
  const details = [
    ...(violations === undefined ? [] : [{ '@type': typeUrl('PreconditionFailure'), violations }]),
    ...(info === undefined ? [] : [{ '@type': typeUrl('ErrorInfo'), ...info }]),
  ];
  return { error: { code: httpStatus[status], message, status, ...(details.length > 0 && { details }) } };
}

const typeUrl = (name: string): string => `type.googleapis.com/google.rpc.${name}`;

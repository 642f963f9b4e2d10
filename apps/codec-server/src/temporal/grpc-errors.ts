import { isGrpcServiceError } from '@temporalio/client';
import { HttpError } from '../errors.ts';

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const status = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Returns whether a call got no response from Temporal. */
export function isOutage(error: unknown): boolean {
  if (!isGrpcServiceError(error)) return false;
  const { code }: { readonly code: number } = error;
  return code === status.deadlineExceeded || code === status.unavailable;
}

/**
 * Recognizes grpc-go's error message for a response above the size limit, which is 4 MiB between Temporal's
 * own services.
 */
export const isTooLarge = (error: { readonly code: number; readonly details: string }): boolean =>
  error.code === status.resourceExhausted && /message larger than max/.test(error.details);

/**
 * Returns whether a call failed with gRPC status UNKNOWN, which Temporal returns for a page token that it did
 * not issue.
 */
export const hasUnknownStatus = (error: unknown): boolean => statusOf(error) === status.unknown;

/**
 * Returns whether a call failed because Temporal does not implement it in this form, or does not permit this
 * server to make it.
 */
export function isNotOffered(error: unknown): boolean {
  const code = statusOf(error);
  return code === status.unimplemented || code === status.permissionDenied || code === status.invalidArgument;
}

function statusOf(error: unknown): number | undefined {
  return error instanceof HttpError && isGrpcServiceError(error.cause) ? error.cause.code : undefined;
}

/**
 * Returns gRPC's own description of a connection error. Does not return Temporal's messages, because they may
 * quote the request.
 */
export function outageReason({ cause, message }: HttpError): {
  readonly reason: string;
  readonly grpcCode?: number;
} {
  if (!isGrpcServiceError(cause)) return { reason: message };
  const grpcCode: number = cause.code;
  return { reason: grpcCode === status.unavailable ? cause.details : message, grpcCode };
}

/** The kind of object that is missing if Temporal answers `NOT_FOUND`. */
export type Subject = 'run' | 'schedule';

/**
 * Returns a message that states whether the namespace or the subject is missing, because Temporal returns the
 * same status for both.
 */
function notFoundMessage(details: string, subject: Subject): string {
  if (details.startsWith('Namespace ')) return `Temporal has no such namespace: ${details}`;
  const missing = `Temporal does not have this ${subject}, or has deleted it`;
  // For a schedule, Temporal's message names the workflow that implements the schedule.
  return subject === 'run' ? `${missing}: ${details}` : `${missing}.`;
}

/** Returns the error with which the server answers if a call to Temporal failed. */
export function httpErrorOf(error: unknown, subject: Subject): HttpError {
  if (error instanceof HttpError) return error;
  if (!isGrpcServiceError(error)) {
    return new HttpError(500, 'internal', "Temporal's response could not be decoded.", { cause: error });
  }
  if (isTooLarge(error)) {
    return new HttpError(500, 'too_large', "Temporal's response exceeds Temporal's own message size limit.", {
      cause: error,
    });
  }
  const code: number = error.code;
  switch (code) {
    case status.invalidArgument:
      return new HttpError(400, 'bad_request', `Temporal rejected the request: ${error.details}`, {
        cause: error,
      });
    case status.notFound:
      return new HttpError(404, 'not_found', notFoundMessage(error.details, subject), { cause: error });
    case status.permissionDenied:
    case status.unauthenticated:
      return new HttpError(
        503,
        'temporal_unavailable',
        "Temporal rejected this server's credentials; check the server's configuration.",
        { cause: error, loggable: true },
      );
    default:
      return new HttpError(503, 'temporal_unavailable', 'Temporal does not answer; try again.', {
        retryAfter: 5,
        cause: error,
        loggable: true,
      });
  }
}

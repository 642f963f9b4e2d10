import { QUERY_SECONDS } from '@temporal-kms/codec-api';
import { isGrpcServiceError } from '@temporalio/client';
import proto, { type temporal } from '@temporalio/proto';
import { HttpError } from '../errors.ts';

/** A worker's answer to a query. */
export type QueryOutcome =
  | { readonly queryResult: temporal.api.common.v1.IPayloads }
  | { readonly failure: temporal.api.failure.v1.IFailure };

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const FAILED_PRECONDITION = 9;

/**
 * Returns the failure with which a worker answered a query.
 * @param error the error that the call to Temporal threw
 * @throws HttpError 504 `no_worker` if no worker answered; 409 `bad_request` if Temporal does not query a run
 *   in this state; any other error unchanged
 */
export function queryFailure(error: unknown): QueryOutcome {
  const cause = error instanceof HttpError ? error.cause : undefined;
  if (!isGrpcServiceError(cause)) throw error;
  const code: number = cause.code;
  if (code === INVALID_ARGUMENT) {
    const failure = failureIn(cause);
    // If the error's details contain no failure of a worker, Temporal itself refused the request.
    if (failure !== undefined) return { failure };
    throw error;
  }
  // Temporal's message for a task queue without recent polls: "no poller seen for task queue recently".
  const hasNoPoller = code === FAILED_PRECONDITION && /no poller/i.test(cause.details);
  // Temporal may cancel the call at its deadline before the client notices the deadline.
  if (code === DEADLINE_EXCEEDED || code === CANCELLED || hasNoPoller) {
    throw new HttpError(
      504,
      'no_worker',
      `No worker answered the query within ${QUERY_SECONDS} s. Check that a worker for the run's task queue is running and ` +
        'has a free slot for workflow tasks, and try again.',
      { cause, loggable: true },
    );
  }
  if (code !== FAILED_PRECONDITION) throw error;
  throw new HttpError(409, 'bad_request', `Temporal cannot query the run now: ${cause.details}`, { cause });
}

const FAILURE = '/temporal.api.errordetails.v1.QueryFailedFailure';

interface GrpcError {
  readonly metadata: { get(key: string): (string | Buffer)[] };
  readonly details: string;
}

/**
 * Returns the worker's failure in a gRPC error's details, which HTTP/2 limits to 64 KiB.
 * https://grpc.io/docs/guides/error/#richer-error-model
 */
function failureIn({ metadata, details: message }: GrpcError): temporal.api.failure.v1.IFailure | undefined {
  const [status] = metadata.get('grpc-status-details-bin');
  if (!(status instanceof Uint8Array)) return undefined;
  try {
    for (const { type_url: url, value } of proto.google.rpc.Status.decode(status).details) {
      if (!url?.endsWith(FAILURE) || !value) continue;
      return proto.temporal.api.errordetails.v1.QueryFailedFailure.decode(value).failure ?? { message };
    }
  } catch {
    // The details are not a protobuf message from Temporal.
  }
  return undefined;
}

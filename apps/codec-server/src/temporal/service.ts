import { WaitTimer } from '@temporal-kms/kms-codec';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Logger } from 'pino';
import { HttpError } from '../errors.ts';
import { Standing } from '../standing.ts';
import { boundAnswers } from './bounded-answers.ts';

/**
 * The few calls that this server makes, raw: the SDK's own `list()` throws on one memo that it can't decode, and
 * `fetchHistory()` holds a whole history. They throw Refusals, and the signal's reason once it is aborted.
 */
export interface TemporalService {
  list(
    request: temporal.api.workflowservice.v1.IListWorkflowExecutionsRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.ListWorkflowExecutionsResponse>;
  count(
    request: temporal.api.workflowservice.v1.ICountWorkflowExecutionsRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.CountWorkflowExecutionsResponse>;
  describe(
    request: temporal.api.workflowservice.v1.IDescribeWorkflowExecutionRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse>;
  /** Waits up to about 20 s for a new event where the request says so. */
  history(
    request: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.GetWorkflowExecutionHistoryResponse>;
  namespaces(signal: AbortSignal): Promise<string[]>;
  /** Whether Temporal answers now. */
  healthy(signal: AbortSignal): Promise<boolean>;
}

const CALL_MS = 10_000;
/** Longer than the server holds a long poll (20 s, `history.longPollExpirationInterval`). */
const POLL_MS = 40_000;
const HEALTH_MS = 2_000;
/** How often a call is repeated because this process stood still, before its failure is reported after all. */
const MAX_REPEATS = 3;

/** @param log told when Temporal stops answering, and when it answers again */
export function createTemporalService(connection: Connection, log?: Logger): TemporalService {
  boundAnswers();
  const { workflowService } = connection;
  const standing =
    log && new Standing(log, { fails: 'Temporal does not answer', works: 'Temporal answers again' });
  const call = async <T>(signal: AbortSignal, make: () => Promise<T>, timeout = CALL_MS): Promise<T> => {
    try {
      const answer = await cancellable(connection, signal, timeout, make);
      standing?.works();
      return answer;
    } catch (error) {
      if (error instanceof HttpError && error.code === 'temporal_unavailable' && !isUnexplained(error))
        standing?.fails(reasonOf(error));
      throw error;
    }
  };
  return {
    list: (request, signal) =>
      listed(request, (smaller) => call(signal, () => workflowService.listWorkflowExecutions(smaller))),
    count: (request, signal) => call(signal, () => workflowService.countWorkflowExecutions(request)),
    describe: (request, signal) => call(signal, () => workflowService.describeWorkflowExecution(request)),
    history: (request, signal) =>
      call(signal, () => workflowService.getWorkflowExecutionHistory(request), POLL_MS),
    namespaces: async (signal) => {
      const { namespaces } = await call(
        signal,
        () => workflowService.listNamespaces({ pageSize: 1_000 }),
        HEALTH_MS,
      );
      return namespaces.map((one) => one.namespaceInfo?.name ?? '').filter((name) => name !== '');
    },
    healthy: async (signal) => {
      try {
        await call(signal, () => workflowService.getSystemInfo({}), HEALTH_MS);
        return true;
      } catch {
        return false;
      }
    },
  };
}

type ListRequest = temporal.api.workflowservice.v1.IListWorkflowExecutionsRequest;

/** A page, or a smaller one where that is larger than an answer may be: memos are of any size. */
async function listed<T>(request: ListRequest, ask: (request: ListRequest) => Promise<T>): Promise<T> {
  for (let pageSize = request.pageSize ?? 0; ; pageSize = Math.ceil(pageSize / 4)) {
    try {
      return await ask({ ...request, pageSize });
    } catch (error) {
      if (!(error instanceof HttpError) || error.code !== 'too_large' || pageSize <= 1) throw error;
    }
  }
}

async function cancellable<T>(
  connection: Connection,
  signal: AbortSignal,
  timeout: number,
  make: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  // The SDK adds a listener to the signal at every call and takes none away: a stream's signal would collect them.
  const mine = new AbortController();
  const abort = (): void => mine.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (let repeats = 0; ; repeats += 1) {
      const timer = new WaitTimer();
      try {
        return await connection.withDeadline(Date.now() + timeout, () =>
          connection.withAbortSignal(mine.signal, make),
        );
      } catch (error) {
        signal.throwIfAborted();
        // All calls only read. A deadline that passed while this process stood still says nothing about Temporal.
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (!(isOutage(error) && wasStalled && repeats < MAX_REPEATS)) throw refusalOf(error);
      } finally {
        timer.stop();
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const status = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unavailable: 14,
  unauthenticated: 16,
} as const;

function isOutage(error: unknown): boolean {
  if (!isGrpcServiceError(error)) return false;
  const { code }: { readonly code: number } = error;
  return code === status.deadlineExceeded || code === status.unavailable;
}

/** grpc-go's words where an answer exceeds a limit on messages, 4 MiB between Temporal's own services. */
export const isTooLarge = (error: { readonly code: number; readonly details: string }): boolean =>
  error.code === status.resourceExhausted && /message larger than max/.test(error.details);

/** Whether Temporal failed at the request without saying why, as it does at a page token that isn't its own. */
export function isUnexplained(error: unknown): boolean {
  if (!(error instanceof HttpError) || !isGrpcServiceError(error.cause)) return false;
  const { code }: { readonly code: number } = error.cause;
  return code === status.unknown;
}

/** What the connection itself says; Temporal's own words may quote the request. */
function reasonOf({ cause, message }: HttpError): { readonly reason: string; readonly grpcCode?: number } {
  if (!isGrpcServiceError(cause)) return { reason: message };
  const grpcCode: number = cause.code;
  return { reason: grpcCode === status.unavailable ? cause.details : message, grpcCode };
}

function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (!isGrpcServiceError(error)) {
    return new HttpError(500, 'internal', "Temporal's answer could not be read.", { cause: error });
  }
  if (isTooLarge(error)) {
    return new HttpError(500, 'too_large', "Temporal's answer is larger than its own limit on messages.", {
      cause: error,
    });
  }
  const code: number = error.code;
  switch (code) {
    case status.invalidArgument:
      return new HttpError(400, 'bad_request', `Temporal refused the request: ${error.details}`, {
        cause: error,
      });
    case status.notFound:
      return new HttpError(
        404,
        'not_found',
        `Temporal has no such thing (or its retention has passed): ${error.details}`,
        {
          cause: error,
        },
      );
    case status.permissionDenied:
    case status.unauthenticated:
      return new HttpError(503, 'temporal_unavailable', "Temporal refuses this server's own credentials.", {
        cause: error,
        loggable: true,
      });
    default:
      return new HttpError(503, 'temporal_unavailable', 'Temporal does not answer; try again.', {
        retryAfter: 5,
        cause: error,
        loggable: true,
      });
  }
}

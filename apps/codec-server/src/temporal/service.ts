import { loadTemporalConfig } from '@temporal-kms/config';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import {
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { Logger } from 'pino';
import { QUERY_SECONDS } from '@temporal-kms/codec-api';
import { HttpError } from '../errors.ts';
import { writeToLog } from '@temporal-kms/node-utils/log-entry';
import { OutageLog } from '@temporal-kms/node-utils/outage-log';
import {
  boundResponses,
  decodeResponse,
  decodeWhole,
  rawHistoryOf,
  type ResponseMemory,
} from './bounded-responses.ts';
import {
  hasUnknownStatus,
  httpErrorOf,
  isOutage,
  isTooLarge,
  outageReason,
  type Subject,
} from './grpc-errors.ts';
import { queryFailure, type QueryOutcome } from './query-failure.ts';

/**
 * The gRPC calls that this server makes. The server does not use the SDK's client, whose `list()` throws if
 * it cannot decode a memo, and whose `fetchHistory()` holds a whole history in memory.
 *
 * Each call throws an HttpError, or the signal's reason once the signal is aborted.
 */
export interface TemporalService {
  list(
    request: temporal.api.workflowservice.v1.IListWorkflowExecutionsRequest,
    signal: AbortSignal,
    memory: ResponseMemory,
  ): Promise<temporal.api.workflowservice.v1.ListWorkflowExecutionsResponse>;
  count(
    request: temporal.api.workflowservice.v1.ICountWorkflowExecutionsRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.CountWorkflowExecutionsResponse>;
  /**
   * Without `memory`, long lists and maps in the description may be cut. Callers that need complete lists
   * and maps must pass `memory`.
   */
  describe(
    request: temporal.api.workflowservice.v1.IDescribeWorkflowExecutionRequest,
    signal: AbortSignal,
    memory?: ResponseMemory,
  ): Promise<temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse>;
  /**
   * Waits up to about 20 s for a new event if `waitNewEvent` is set. The response's `rawHistory` contains
   * the encoded events.
   */
  history(
    request: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse>;
  /** Like `history`, but returns the newest event first, and does not wait for new events. */
  historyReverse(
    request: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryReverseRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse>;
  /**
   * Describes a task queue, including the workers that poll it. A failure is not logged as an outage of
   * Temporal, because an account that may read workflows may lack the permission for this call.
   */
  taskQueue(
    request: temporal.api.workflowservice.v1.IDescribeTaskQueueRequest,
    signal: AbortSignal,
  ): Promise<temporal.api.workflowservice.v1.DescribeTaskQueueResponse>;
  /** Lists schedules. Long lists may be cut. */
  schedules(
    request: temporal.api.workflowservice.v1.IListSchedulesRequest,
    signal: AbortSignal,
    memory: ResponseMemory,
  ): Promise<temporal.api.workflowservice.v1.ListSchedulesResponse>;
  schedule(
    request: temporal.api.workflowservice.v1.IDescribeScheduleRequest,
    signal: AbortSignal,
    memory: ResponseMemory,
  ): Promise<temporal.api.workflowservice.v1.DescribeScheduleResponse>;
  /**
   * Runs a query on a worker. Throws 504 `no_worker` if no worker answers within `QUERY_SECONDS`. A failure is
   * not logged as an outage of Temporal.
   */
  query(
    request: temporal.api.workflowservice.v1.IQueryWorkflowRequest,
    signal: AbortSignal,
    memory: ResponseMemory,
  ): Promise<QueryOutcome>;
  /** Returns the names of all namespaces, up to 1,000. */
  namespaces(signal: AbortSignal): Promise<string[]>;
  /** Returns whether Temporal responds now. */
  healthy(signal: AbortSignal): Promise<boolean>;
}

const CALL_MS = 10_000;
/**
 * Deadline of a long poll. The deadline is longer than the 20 s for which Temporal keeps a long poll open
 * (`history.longPollExpirationInterval`).
 */
const POLL_MS = 40_000;
const HEALTH_MS = 2_000;
const TASK_QUEUE_MS = 5_000;
/**
 * How many times the server repeats a call that failed because the event loop was blocked, before it
 * reports the failure.
 */
const MAX_REPEATS = 3;

const retries = defaultGrpcRetryOptions({ maxAttempts: 3 });

/**
 * Retries failed calls up to twice: with the SDK's default of ten attempts, callers would wait until the
 * deadline instead of seeing the error. Does not retry if a response is too large.
 */
export const interceptors: NonNullable<ConnectionOptions['interceptors']> = [
  makeGrpcRetryInterceptor({
    ...retries,
    retryableDecider: (attempt, error) => !isTooLarge(error) && retries.retryableDecider(attempt, error),
  }),
];

/**
 * Returns a connection with the settings from Temporal's environment variables and profile file. Connects on
 * first use, so that the server can start while Temporal is unavailable.
 * @throws Error if the profile file cannot be read or parsed
 */
export function connectTemporal(): { connection: Connection; namespace: string; address: string } {
  const { connectionOptions, namespace } = loadTemporalConfig();
  return {
    connection: Connection.lazy({ ...connectionOptions, interceptors }),
    namespace,
    address: connectionOptions.address ?? 'localhost:7233',
  };
}

/** @param log receives a message when Temporal becomes unavailable, and when Temporal is available again */
export function createTemporalService(connection: Connection, log?: Logger): TemporalService {
  boundResponses();
  const { workflowService } = connection;
  const standing =
    log && new OutageLog(writeToLog(log), { down: 'Temporal unavailable', up: 'Temporal available again' });
  const call = async <T>(
    signal: AbortSignal,
    make: () => Promise<T>,
    timeout = CALL_MS,
    subject: Subject = 'run',
  ): Promise<T> => {
    try {
      const response = await cancellable(connection, signal, timeout, make, subject);
      standing?.up();
      return response;
    } catch (error) {
      if (error instanceof HttpError && error.code === 'temporal_unavailable' && !hasUnknownStatus(error))
        standing?.down(outageReason(error));
      throw error;
    }
  };
  return {
    list: (request, signal, memory) =>
      listPage(request, memory, (smaller) =>
        call(signal, () => workflowService.listWorkflowExecutions(smaller)),
      ),
    count: (request, signal) => call(signal, () => workflowService.countWorkflowExecutions(request)),
    describe: async (request, signal, memory) => {
      const response = await call(signal, () => workflowService.describeWorkflowExecution(request));
      return decodeResponse(response, memory);
    },
    history: async (request, signal) =>
      rawHistoryOf(await call(signal, () => workflowService.getWorkflowExecutionHistory(request), POLL_MS)),
    historyReverse: async (request, signal) =>
      rawHistoryOf(await call(signal, () => workflowService.getWorkflowExecutionHistoryReverse(request))),
    taskQueue: (request, signal) =>
      cancellable(connection, signal, TASK_QUEUE_MS, () => workflowService.describeTaskQueue(request)),
    schedules: async (request, signal, memory) =>
      decodeResponse(await call(signal, () => workflowService.listSchedules(request)), memory),
    schedule: async (request, signal, memory) =>
      decodeResponse(
        await call(signal, () => workflowService.describeSchedule(request), CALL_MS, 'schedule'),
        memory,
      ),
    query: async (request, signal, memory) => {
      try {
        const response = await cancellable(connection, signal, QUERY_SECONDS * 1_000, () =>
          workflowService.queryWorkflow(request),
        );
        const { queryResult } = decodeResponse(response, memory);
        return { queryResult: queryResult ?? {} };
      } catch (error) {
        return queryFailure(error);
      }
    },
    namespaces: async (signal) => {
      const { namespaces } = await call(
        signal,
        () => workflowService.listNamespaces({ pageSize: 1_000 }),
        HEALTH_MS,
      );
      return namespaces.map(({ namespaceInfo }) => namespaceInfo?.name ?? '').filter((name) => name !== '');
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

/** Requests a smaller page if the response exceeds the limit on values, because memos may have any size. */
async function listPage<T extends object>(
  request: ListRequest,
  memory: ResponseMemory,
  ask: (request: ListRequest) => Promise<T>,
): Promise<T> {
  for (let pageSize = request.pageSize ?? 0; ; pageSize = Math.ceil(pageSize / 4)) {
    try {
      const response = await ask({ ...request, pageSize });
      const page = pageSize > 1 ? decodeWhole(response, memory) : decodeResponse(response, memory);
      if (page !== undefined) return page;
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
  subject: Subject = 'run',
): Promise<T> {
  signal.throwIfAborted();
  // Uses a new signal for each call: the SDK adds a listener to the signal and never removes the listener, so
  // a stream's signal would accumulate listeners.
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (let repeats = 0; ; repeats += 1) {
      const timer = new WaitTimer();
      try {
        return await connection.withDeadline(Date.now() + timeout, () =>
          connection.withAbortSignal(controller.signal, make),
        );
      } catch (error) {
        signal.throwIfAborted();
        // A deadline that passed while the event loop was blocked does not indicate an outage. The call is
        // repeated, which is safe, because all calls only read.
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (!(isOutage(error) && wasStalled && repeats < MAX_REPEATS)) throw httpErrorOf(error, subject);
      } finally {
        timer.stop();
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

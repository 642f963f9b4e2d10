import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import proto, { type temporal } from '@temporalio/proto';
import { RateLimiter, TokenBucket } from 'limiter';
import { grpcCode, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED } from '../google/errors.ts';
import {
  type ListedRun,
  type NotWalked,
  type RangeSource,
  ScanError,
  type ScanSource,
} from './scan-source.ts';
import { milliseconds } from './times.ts';

const { ArchivalState, BatchOperationState, WorkflowExecutionStatus } = proto.temporal.api.enums.v1;
type Page = { readonly nextPageToken?: Uint8Array | null };

/** Time limit in milliseconds for one call, including retries by Temporal's client. */
const CALL_MS = 60_000;
const PAGE_SIZE = 1_000;

// https://grpc.io/docs/guides/status-codes/
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

/** Maximum number of times that a call waits and tries again because of Temporal's rate limit. */
const MAX_WAITS = 8;

const openStatuses: ReadonlySet<number> = new Set([
  WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
  WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
  WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED,
]);

/** Delays calls, so that they do not exceed a rate. */
export interface CallLimiter {
  removeTokens(calls: number): Promise<unknown>;
}

/** Permits a number of calls per second. After a pause, permits one second's calls at once. */
export const perSecond = (calls: number): CallLimiter =>
  new RateLimiter({ tokensPerInterval: calls, interval: 'second' });

/**
 * Permits a share of a rate, which may be less than one call per second. A share starts empty and saves at most a
 * tenth of a second's calls, so that consecutive shares do not exceed the rate.
 */
export const shareOf = (calls: number): CallLimiter =>
  new TokenBucket({ bucketSize: Math.max(1, calls / 10), tokensPerInterval: calls, interval: 'second' });

/** Reads a namespace through Temporal's API. @param limiter limits the rate of calls */
export function temporalSource(
  connection: Connection,
  namespace: string,
  limiter: CallLimiter,
): ScanSource & RangeSource {
  const { workflowService } = connection;

  const call = async <T>(make: () => Promise<T>): Promise<T> => {
    for (let waits = 0; ; waits += 1) {
      await limiter.removeTokens(1);
      try {
        return await connection.withDeadline(Date.now() + CALL_MS, make);
      } catch (error) {
        if (grpcCode(error) !== RESOURCE_EXHAUSTED || waits === MAX_WAITS) throw scanError(error, namespace);
        await sleep(Math.random() * 1_000 * 2 ** waits);
      }
    }
  };
  /** Makes a call. Returns undefined if the requested item no longer exists. */
  const existing = async <T>(make: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call(make);
    } catch (error) {
      if (error instanceof ScanError && grpcCode(error.cause) === NOT_FOUND) return undefined;
      throw error;
    }
  };
  const listRuns = async (query: string, nextPageToken: Uint8Array) => {
    const request = { namespace, pageSize: PAGE_SIZE, query, nextPageToken };
    const page = await call(() => workflowService.listWorkflowExecutions(request));
    return { runs: page.executions.map(toRun), nextPageToken: page.nextPageToken };
  };
  return {
    runPage: listRuns,

    async countRuns(query) {
      const { count } = await call(() => workflowService.countWorkflowExecutions({ namespace, query }));
      return Number(count);
    },

    async describe() {
      const { namespaceInfo, config } = await call(() => workflowService.describeNamespace({ namespace }));
      return {
        id: namespaceInfo?.id ?? '',
        retentionSeconds: Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0),
        archive: archiveOf(config ?? {}),
      };
    },

    async *runs(query) {
      for await (const { runs } of pages((nextPageToken) => listRuns(query, nextPageToken))) yield runs;
    },

    async *archivedRuns() {
      for await (const { executions } of pages((nextPageToken) =>
        call(() =>
          workflowService.listArchivedWorkflowExecutions({ namespace, pageSize: PAGE_SIZE, nextPageToken }),
        ),
      ))
        yield executions.map(toRun);
    },

    async *history({ workflowId, runId }) {
      const request = { namespace, execution: { workflowId, runId } };
      for await (const { history } of pages((nextPageToken) =>
        existing(() => workflowService.getWorkflowExecutionHistory({ ...request, nextPageToken })),
      ))
        yield history?.events ?? [];
    },

    describeRun: ({ workflowId, runId }) =>
      existing(() =>
        workflowService.describeWorkflowExecution({ namespace, execution: { workflowId, runId } }),
      ),

    async *schedules() {
      for await (const { schedules } of pages((nextPageToken) =>
        call(() => workflowService.listSchedules({ namespace, maximumPageSize: PAGE_SIZE, nextPageToken })),
      ))
        yield schedules.map(({ scheduleId }) => scheduleId ?? '');
    },

    describeSchedule: (scheduleId) =>
      existing(() => workflowService.describeSchedule({ namespace, scheduleId })),

    async notWalked() {
      const counts = [
        await countOf('activities that no workflow started', () =>
          workflowService.countActivityExecutions({ namespace }),
        ),
        await countOf('Nexus operations that no workflow started', () =>
          workflowService.countNexusOperationExecutions({ namespace }),
        ),
        await runningBatches(),
      ];
      return counts.filter(({ count }) => count > 0);
    },
  };

  async function countOf(
    what: string,
    make: () => Promise<{ readonly count?: unknown }>,
  ): Promise<NotWalked> {
    const count = await offered(make);
    return {
      message: `The namespace has ${what}, which a scan does not read.`,
      count: Number(count?.count ?? 0),
    };
  }

  async function runningBatches(): Promise<NotWalked> {
    let count = 0;
    for await (const { operationInfo } of pages((nextPageToken) =>
      offered(() => workflowService.listBatchOperations({ namespace, pageSize: 100, nextPageToken })),
    ))
      count += operationInfo.filter(
        ({ state }) => state === BatchOperationState.BATCH_OPERATION_STATE_RUNNING,
      ).length;
    return { message: 'Batch operations are in progress, and a scan does not read their inputs.', count };
  }

  /** Makes a call. Returns undefined if the server does not support the call, and therefore has no such data. */
  async function offered<T>(make: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call(make);
    } catch (error) {
      const code = error instanceof ScanError ? grpcCode(error.cause) : undefined;
      if (code === UNIMPLEMENTED || code === INVALID_ARGUMENT) return undefined;
      throw error;
    }
  }
}

/** Returns the pages of a list. If `get` returns undefined, the list is empty. */
async function* pages<T extends Page>(
  get: (nextPageToken: Uint8Array) => Promise<T | undefined>,
): AsyncGenerator<T, void> {
  let token: Uint8Array = new Uint8Array();
  do {
    const page = await get(token);
    if (page === undefined) return;
    yield page;
    token = page.nextPageToken ?? new Uint8Array();
  } while (token.length > 0);
}

function toRun({
  execution,
  status,
  startTime,
  closeTime,
}: temporal.api.workflow.v1.IWorkflowExecutionInfo): ListedRun {
  return {
    workflowId: execution?.workflowId ?? '',
    runId: execution?.runId ?? '',
    isOpen: openStatuses.has(status ?? 0),
    startTime: milliseconds(startTime),
    closeTime: milliseconds(closeTime),
  };
}

type ArchiveConfig = Pick<
  temporal.api.namespace.v1.INamespaceConfig,
  'historyArchivalState' | 'historyArchivalUri' | 'visibilityArchivalState' | 'visibilityArchivalUri'
>;

/**
 * Returns whether the namespace has an archive, and whether the archive can be listed. If archival was disabled, the
 * namespace keeps the archive's URI and the runs that were archived before.
 */
function archiveOf(config: ArchiveConfig): 'none' | 'listed' | 'unlisted' {
  const enabled = ArchivalState.ARCHIVAL_STATE_ENABLED;
  const hasHistories = config.historyArchivalState === enabled || Boolean(config.historyArchivalUri);
  if (!hasHistories) return 'none';
  const isListed = config.visibilityArchivalState === enabled || Boolean(config.visibilityArchivalUri);
  return isListed ? 'listed' : 'unlisted';
}

/**
 * Returns an error with a message that replaces Temporal's own message, which may quote a request's content.
 */
function scanError(error: unknown, namespace: string): ScanError {
  const code = grpcCode(error);
  switch (code) {
    case PERMISSION_DENIED:
    case UNAUTHENTICATED:
      return new ScanError(
        'not_permitted',
        `Temporal refuses these credentials in the namespace ${namespace}.`,
        error,
      );
    case NOT_FOUND:
      return new ScanError(
        'not_permitted',
        `Temporal has no namespace ${namespace}, or no longer has an item that it listed.`,
        error,
      );
    case undefined:
      return new ScanError('unreadable', "Temporal's response cannot be read.", error);
    default:
      return new ScanError('unavailable', `Temporal did not answer (gRPC status ${code}).`, error);
  }
}

import { z } from 'zod/mini';
import { payloadStub } from './payload.ts';

export const workflowStatus = z.enum([
  'Running',
  'Completed',
  'Failed',
  'Canceled',
  'Terminated',
  'ContinuedAsNew',
  'TimedOut',
  'Paused',
  'Unspecified',
]);
export type WorkflowStatus = z.infer<typeof workflowStatus>;

/** A time in RFC 3339 format, in UTC and with up to nine decimals, as proto3 JSON writes a Timestamp. */
export const timestamp = z.string();

/** A proto message in proto3 JSON (64-bit integers are strings) whose payloads are placeholders. */
export const attributes = z.record(z.string(), z.unknown());
export type Attributes = z.infer<typeof attributes>;

export const execution = z.object({ workflowId: z.string(), runId: z.string() });

export const workflowSummary = z.extend(execution, {
  type: z.string(),
  taskQueue: z.string(),
  status: workflowStatus,
  startTime: z.optional(timestamp),
  closeTime: z.optional(timestamp),
  historyLength: z.int().check(z.nonnegative()),
  historySizeBytes: z.int().check(z.nonnegative()),
  parent: z.optional(execution),
  /** Search attributes are never encrypted, because Temporal indexes them. */
  searchAttributes: z.record(z.string(), z.unknown()),
  /** The memo's payloads; their refs are the same as in the description. */
  memo: z.array(payloadStub),
});
export type WorkflowSummary = z.infer<typeof workflowSummary>;

/** `GET /api/namespaces/{namespace}/workflows?query=&pageSize=&pageToken=` */
export const workflowList = z.object({
  workflows: z.array(workflowSummary),
  /** A position in the namespace's visibility store. The last page has no `nextPageToken`. */
  nextPageToken: z.optional(z.string()),
});
export type WorkflowList = z.infer<typeof workflowList>;

/**
 * `GET /api/namespaces/{namespace}/workflows:count?query=`: returns the number of matching runs, by status.
 */
export const workflowCount = z.object({
  total: z.int().check(z.nonnegative()),
  byStatus: z.partialRecord(workflowStatus, z.int().check(z.nonnegative())),
});
export type WorkflowCount = z.infer<typeof workflowCount>;

/**
 * `GET /api/namespaces/{namespace}/workflows:types?prefix=`: returns the workflow types of the namespace's
 * runs, sorted.
 */
export const workflowTypes = z.object({
  types: z.array(z.string()),
  /** False if there may be more types: to get them, send requests with longer prefixes. */
  complete: z.boolean(),
});
export type WorkflowTypes = z.infer<typeof workflowTypes>;

/**
 * Relations to other runs. To find closed children and other runs with the same id, use a visibility query
 * (`ParentRunId = "…"`, `WorkflowId = "…"`). The history's last event names the next run.
 */
export const workflowRelations = z.object({
  /** `namespaceId` is the id of the parent's namespace, if Temporal returned it. */
  parent: z.optional(z.extend(execution, { namespaceId: z.optional(z.string()) })),
  /** The root of the tree of runs; absent if this run is the root. */
  root: z.optional(execution),
  /** The first run of this run's chain, which continue-as-new, retries, cron and resets extend. */
  firstRunId: z.optional(z.string()),
  /** The run that replaced this run when this run was reset. */
  resetRunId: z.optional(z.string()),
  /** Running children. */
  children: z.array(z.extend(execution, { type: z.string(), initiatedId: z.optional(z.string()) })),
  /** Points that the run can be reset to, by build id. */
  resetPoints: z.array(
    z.object({
      buildId: z.string(),
      runId: z.string(),
      /** Event id of the first workflow task that the build completed. */
      eventId: z.string(),
      created: z.optional(timestamp),
      expires: z.optional(timestamp),
      resettable: z.boolean(),
    }),
  ),
});
export type WorkflowRelations = z.infer<typeof workflowRelations>;

/**
 * `GET /api/namespaces/{namespace}/workflows/{workflowId}?runId=`: describes a run; without `runId`, the latest run.
 * `details` is Temporal's DescribeWorkflowExecutionResponse with placeholders; the other fields summarize it.
 */
export const workflowDescription = z.object({
  workflow: workflowSummary,
  relations: workflowRelations,
  details: attributes,
  /** Every payload in `details`. The refs are `0:<n>`. */
  payloads: z.array(payloadStub),
});
export type WorkflowDescription = z.infer<typeof workflowDescription>;

/** `GET /api/namespaces`: returns the namespaces that the caller may read. */
export const namespaceList = z.object({
  namespaces: z.array(z.object({ name: z.string() })),
  default: z.string(),
});
export type NamespaceList = z.infer<typeof namespaceList>;

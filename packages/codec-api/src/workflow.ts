import { z } from 'zod';
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

/** RFC 3339 in UTC with up to nine decimals, as proto3 JSON writes a Timestamp. */
export const timestamp = z.string();

/** A proto message in proto3 JSON (64-bit integers are strings) whose payloads are placeholders. */
export const attributes = z.record(z.string(), z.unknown());
export type Attributes = z.infer<typeof attributes>;

export const execution = z.object({ workflowId: z.string(), runId: z.string() });

export const workflowSummary = execution.extend({
  type: z.string(),
  taskQueue: z.string(),
  status: workflowStatus,
  startTime: timestamp.optional(),
  closeTime: timestamp.optional(),
  historyLength: z.number().int().nonnegative(),
  historySizeBytes: z.number().int().nonnegative(),
  parent: execution.optional(),
  /** Search attributes are never encrypted: Temporal indexes them. */
  searchAttributes: z.record(z.string(), z.unknown()),
  /** The memo's payloads, which show their keys; the refs are those of the description. */
  memo: z.array(payloadStub),
});
export type WorkflowSummary = z.infer<typeof workflowSummary>;

/** `GET /api/namespaces/{namespace}/workflows?query=&pageSize=&pageToken=` */
export const workflowList = z.object({
  workflows: z.array(workflowSummary),
  /** Absent on the last page. A position in the namespace's visibility store. */
  nextPageToken: z.string().optional(),
});
export type WorkflowList = z.infer<typeof workflowList>;

/** `GET /api/namespaces/{namespace}/workflows:count?query=`: the number of matching runs, by status. */
export const workflowCount = z.object({
  total: z.number().int().nonnegative(),
  byStatus: z.partialRecord(workflowStatus, z.number().int().nonnegative()),
});
export type WorkflowCount = z.infer<typeof workflowCount>;

/**
 * Relations to other runs. Closed children, other runs of the same id and the next run are found with a visibility query
 * (`ParentRunId = "…"`, `WorkflowId = "…"`) and in the history's first and last event.
 */
export const workflowRelations = z.object({
  /** `namespaceId` where the parent may be in another namespace. */
  parent: execution.extend({ namespaceId: z.string().optional() }).optional(),
  /** The root of the tree of runs; absent when it is this run. */
  root: execution.optional(),
  /** The first run of the chain of continue-as-new, retries, cron and resets that this run belongs to. */
  firstRunId: z.string().optional(),
  /** The run that replaced this one by a reset. */
  resetRunId: z.string().optional(),
  /** Running children. */
  children: z.array(execution.extend({ type: z.string(), initiatedId: z.string().optional() })),
  /** Points to reset the run to, by build id. */
  resetPoints: z.array(
    z.object({
      buildId: z.string(),
      runId: z.string(),
      /** Event id of the first workflow task that the build completed. */
      eventId: z.string(),
      created: timestamp.optional(),
      expires: timestamp.optional(),
      resettable: z.boolean(),
    }),
  ),
});
export type WorkflowRelations = z.infer<typeof workflowRelations>;

/**
 * `GET /api/namespaces/{namespace}/workflows/{workflowId}?runId=` (the latest run without `runId`).
 * `details` is Temporal's DescribeWorkflowExecutionResponse with placeholders; the other fields summarize it.
 */
export const workflowDescription = z.object({
  workflow: workflowSummary,
  relations: workflowRelations,
  details: attributes,
  /** Every payload of `details`, refs `0:<n>`. */
  payloads: z.array(payloadStub),
});
export type WorkflowDescription = z.infer<typeof workflowDescription>;

/** `GET /api/namespaces`: the namespaces that the caller may read. */
export const namespaceList = z.object({
  namespaces: z.array(z.object({ name: z.string() })),
  default: z.string(),
});
export type NamespaceList = z.infer<typeof namespaceList>;

import { z } from 'zod/mini';
import { pageToken, workflowId } from './parameters.ts';
import { payloadStub } from './payload.ts';
import { attributes } from './workflow.ts';

/** Temporal's limit for ids applies to schedules too. */
export const scheduleId = workflowId;

/** If `pageToken` is absent, the response is the first page. */
export const scheduleListQuery = z.object({ pageToken });

/**
 * `GET /api/namespaces/{namespace}/schedules?pageToken=`: returns up to 100 schedules, in Temporal's order.
 */
export const scheduleList = z.object({
  schedules: z.array(
    z.object({
      scheduleId: z.string(),
      /**
       * Temporal's ScheduleListInfo: the specification, the workflow type, the state, and the last and next
       * runs.
       */
      info: attributes,
    }),
  ),
  /** The `pageToken` for the next page. The last page has no `nextPageToken`. */
  nextPageToken: z.optional(z.string()),
});
export type ScheduleList = z.infer<typeof scheduleList>;

/** `GET /api/namespaces/{namespace}/schedules/{scheduleId}` */
export const scheduleDescription = z.object({
  scheduleId: z.string(),
  /** Temporal's DescribeScheduleResponse with placeholders for payloads. */
  details: attributes,
  /** Every payload in `details`. The refs are `0:<n>`, as in a run's description. */
  payloads: z.array(payloadStub),
});
export type ScheduleDescription = z.infer<typeof scheduleDescription>;

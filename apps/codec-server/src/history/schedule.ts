import type { PayloadRef, ScheduleDescription, ScheduleList } from '@temporal-kms/codec-api';
import { workflowContext, writeMessage } from '@temporal-kms/histories/payloads';
import type { temporal } from '@temporalio/proto';
import { badRequest } from '../errors.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import { describedMessage, describedPayloads } from './description.ts';
import type { PayloadRequest } from './locate-payloads.ts';
import type { Inspect } from './payload-stub.ts';

type Description = temporal.api.workflowservice.v1.IDescribeScheduleResponse;
type Page = temporal.api.workflowservice.v1.IListSchedulesResponse;

const TYPE = 'temporal.api.workflowservice.v1.DescribeScheduleResponse';

/** Returns a page of schedules, without their memos and search attributes. */
export function scheduleList({ schedules, nextPageToken }: Page): ScheduleList {
  return {
    schedules: (schedules ?? []).map(({ scheduleId, info }) => ({
      scheduleId: scheduleId ?? '',
      info: writeMessage('temporal.api.schedule.v1.ScheduleListInfo', info ?? {}, () => undefined),
    })),
    ...(nextPageToken?.length ? { nextPageToken: Buffer.from(nextPageToken).toString('base64url') } : {}),
  };
}

/**
 * Clients encrypt a schedule's payloads for the workflow that the schedule starts. Only the schedule's own
 * memo is not bound to a workflow.
 */
const contextOf = (description: Description, namespace: string) =>
  workflowContext({ namespace, workflowId: description.schedule?.action?.startWorkflow?.workflowId ?? '' });

/** Returns the description without the token that is needed to change the schedule. */
const readable = (description: Description): Description => ({ ...description, conflictToken: null });

/** Returns a schedule's description, with stubs in place of its payloads. */
export async function scheduleDescription(
  description: Description,
  { namespace, scheduleId }: { readonly namespace: string; readonly scheduleId: string },
  inspect: Inspect,
): Promise<ScheduleDescription> {
  const context = contextOf(description, namespace);
  return {
    scheduleId,
    ...(await describedMessage(TYPE, readable(description), context, inspect, createCheckpoint())),
  };
}

/**
 * Returns payloads of a schedule's description by their refs. A ref that the description no longer contains
 * gets `event_not_found`.
 * @throws HttpError 400 for a ref of an event
 */
export async function schedulePayloads(
  description: Description,
  namespace: string,
  refs: readonly PayloadRef[],
): Promise<PayloadRequest[]> {
  const context = contextOf(description, namespace);
  const described = await describedPayloads(readable(description), createCheckpoint(), TYPE);
  return [...new Set(refs)].map((ref) => {
    if (!ref.startsWith('0:')) throw badRequest(`A schedule has no events, so it has no payload ${ref}.`);
    const location = described.get(ref);
    const held = location && { ...location, context };
    return { ref, bytes: location?.payload.data?.length ?? 0, held, load: async () => held };
  });
}

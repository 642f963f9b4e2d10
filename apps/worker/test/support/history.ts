import type { Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { namespace } from './stack.ts';

/** One thing that Temporal keeps: an event of a history, or what it tells of a workflow beside its history. */
export interface Kept {
  /** The event's type without its prefix (`ACTIVITY_TASK_STARTED`), or `memo`, or `pending activity`. */
  readonly where: string;
  readonly value: unknown;
}

/** Everything that Temporal tells about every workflow, payloads as they are stored. */
export async function readEverything({ workflowService }: Connection): Promise<Kept[]> {
  const { executions } = await workflowService.listWorkflowExecutions({ namespace, pageSize: 1_000 });
  const kept = await Promise.all(
    executions.map(async ({ execution }) => {
      const events: Kept[] = [];
      let nextPageToken: Uint8Array | undefined;
      do {
        const page = await workflowService.getWorkflowExecutionHistory({
          namespace,
          ...(execution && { execution }),
          ...(nextPageToken && { nextPageToken }),
        });
        for (const event of page.history?.events ?? []) {
          events.push({ where: eventName(event.eventType), value: event });
        }
        nextPageToken = page.nextPageToken;
      } while (nextPageToken.length > 0);
      const described = await workflowService.describeWorkflowExecution({
        namespace,
        ...(execution && { execution }),
      });
      const pending = described.pendingActivities.map((value) => ({ where: 'pending activity', value }));
      return [...events, { where: 'memo', value: described.workflowExecutionInfo?.memo }, ...pending];
    }),
  );
  return kept.flat();
}

const eventName = (type: temporal.api.enums.v1.EventType | null | undefined) =>
  (temporal.api.enums.v1.EventType[type ?? 0] ?? `${type}`).replace('EVENT_TYPE_', '');

/** Every payload inside a message, wherever it stands: what has `metadata` is one. */
export function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if (isPayload(value)) return [value];
  return Object.values(value).flatMap(payloadsIn);
}

const isPayload = (value: object): value is Payload => 'metadata' in value && 'data' in value;

export const textOf = (payload: Payload): string => Buffer.from(payload.data ?? []).toString('utf8');

/** All that can be read in a message as it is stored: its strings, and its payloads' bytes. */
export function rawText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(rawText).join('\n');
}

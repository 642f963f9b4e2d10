import { readHistory } from '@temporal-kms/testing/history';
import type { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { expect, vi } from 'vitest';
import { namespace } from './stack.ts';

/** A message that Temporal stores: a history event, or a part of a workflow's description. */
export interface Stored {
  /** The event's type without its prefix (`ACTIVITY_TASK_STARTED`), or `memo`, `pending activity` or `schedule`. */
  readonly where: string;
  readonly value: unknown;
}

/** Numbers of workflow executions and schedules. */
export interface Expected {
  readonly executions: number;
  readonly schedules?: number;
}

/**
 * Reads everything that Temporal returns about workflows and schedules, with payloads in their stored form.
 *
 * @param expected how many Temporal must list before this function reads, because the lists lag behind
 */
export async function readEverything(
  connection: Connection,
  expected: Expected = { executions: 0 },
): Promise<Stored[]> {
  const { workflowService } = connection;
  const { executions, schedules } = await vi.waitFor(
    async () => {
      const listed = await list(connection);
      expect(listed.executions.length).toBeGreaterThanOrEqual(expected.executions);
      expect(listed.schedules.length).toBeGreaterThanOrEqual(expected.schedules ?? 0);
      return listed;
    },
    { timeout: 60_000, interval: 200 },
  );
  const stored = await Promise.all(
    executions.map(async ({ execution }) => {
      const events = await readHistory(connection, namespace, execution ?? {});
      const described = await workflowService.describeWorkflowExecution({
        namespace,
        ...(execution && { execution }),
      });
      return [
        ...events.map((value) => ({ where: eventName(value.eventType), value })),
        { where: 'memo', value: described.workflowExecutionInfo?.memo },
        ...described.pendingActivities.map((value) => ({ where: 'pending activity', value })),
      ];
    }),
  );
  const described = await Promise.all(
    schedules.map(async ({ scheduleId, memo }) => {
      const description = await workflowService.describeSchedule({ namespace, scheduleId: scheduleId ?? '' });
      return { where: 'schedule', value: { memo, description } };
    }),
  );
  return [...stored.flat(), ...described];
}

async function list({ workflowService }: Connection) {
  const { executions } = await workflowService.listWorkflowExecutions({ namespace, pageSize: 1_000 });
  const { schedules } = await workflowService.listSchedules({ namespace });
  return { executions, schedules };
}

const eventName = (type: temporal.api.enums.v1.EventType | null | undefined) =>
  (temporal.api.enums.v1.EventType[type ?? 0] ?? `${type}`).replace('EVENT_TYPE_', '');

import type { WorkflowRelations } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';
import { timestamp } from './message.ts';

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;
type Execution = temporal.api.common.v1.IWorkflowExecution;

/** How a run belongs to others, as far as Temporal's description says it. */
export function workflowRelations(description: Description): WorkflowRelations {
  const info = description.workflowExecutionInfo ?? {};
  const { parentExecution: parent, rootExecution: root, firstRunId, parentNamespaceId } = info;
  const resetRunId = description.workflowExtendedInfo?.resetRunId;
  return {
    ...(parent?.workflowId
      ? { parent: { ...ids(parent), ...(parentNamespaceId ? { namespaceId: parentNamespaceId } : {}) } }
      : {}),
    // Temporal calls a run without a parent its own root.
    ...(root?.workflowId && root.runId !== info.execution?.runId ? { root: ids(root) } : {}),
    ...(firstRunId ? { firstRunId } : {}),
    ...(resetRunId ? { resetRunId } : {}),
    children: (description.pendingChildren ?? []).map((child) => ({
      ...ids(child),
      type: child.workflowTypeName ?? '',
      ...(child.initiatedId ? { initiatedId: String(child.initiatedId) } : {}),
    })),
    resetPoints: (info.autoResetPoints?.points ?? []).map(resetPoint),
  };
}

const ids = ({ workflowId, runId }: Execution): { workflowId: string; runId: string } => ({
  workflowId: workflowId ?? '',
  runId: runId ?? '',
});

const resetPoint = (
  point: temporal.api.workflow.v1.IResetPointInfo,
): WorkflowRelations['resetPoints'][number] => ({
  buildId: point.buildId ?? '',
  runId: point.runId ?? '',
  eventId: String(point.firstWorkflowTaskCompletedId ?? 0),
  ...(point.createTime ? { created: timestamp(point.createTime) } : {}),
  ...(point.expireTime ? { expires: timestamp(point.expireTime) } : {}),
  resettable: point.resettable ?? false,
});

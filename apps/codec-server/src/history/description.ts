import { createHash } from 'node:crypto';
import {
  type PayloadPlaceholder,
  type PayloadRef,
  payloadRefOf,
  type PayloadStub,
  type WorkflowDescription,
  type WorkflowRelations,
  type WorkflowStatus,
  workflowStatus,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import {
  enumName,
  findPayloads,
  type PayloadContext,
  type PayloadLocation,
  searchAttributeValues,
  timestamp,
  workflowContext,
  writeMessage,
} from '@temporal-kms/histories/payloads';
import { bufferOf } from '@temporal-kms/histories/bytes';
import proto, { type temporal } from '@temporalio/proto';
import type { Checkpoint } from '../turns/checkpoint.ts';
import { type Inspect, payloadStub } from './payload-stub.ts';

type Info = temporal.api.workflow.v1.IWorkflowExecutionInfo;
type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;
type Execution = temporal.api.common.v1.IWorkflowExecution;

const TYPE = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';

/** Returns the summary of a workflow run, for lists and for the run's description. */
export async function workflowSummary(
  info: Info,
  namespace: string,
  inspect: Inspect,
  checkpoint: Checkpoint,
): Promise<WorkflowSummary> {
  const refOf = contentRefs();
  const context = contextOf(info, namespace);
  const memo: PayloadStub[] = [];
  for (const location of findPayloads('temporal.api.common.v1.Memo', info.memo ?? {})) {
    await checkpoint();
    const path = `memo.${location.path}`;
    memo.push(payloadStub(refOf(location), { ...location, path }, context, inspect));
  }
  return {
    workflowId: info.execution?.workflowId ?? '',
    runId: info.execution?.runId ?? '',
    type: info.type?.name ?? '',
    taskQueue: info.taskQueue ?? '',
    status: statusOf(info.status),
    ...(info.startTime ? { startTime: timestamp(info.startTime) } : {}),
    ...(info.closeTime ? { closeTime: timestamp(info.closeTime) } : {}),
    historyLength: Number(info.historyLength ?? 0),
    historySizeBytes: Number(info.historySizeBytes ?? 0),
    ...(info.parentExecution?.workflowId
      ? { parent: { workflowId: info.parentExecution.workflowId, runId: info.parentExecution.runId ?? '' } }
      : {}),
    searchAttributes: searchAttributeValues(info.searchAttributes),
    memo,
  };
}

/** Returns a run's description, with stubs in place of its payloads. */
export async function workflowDescription(
  description: Description,
  namespace: string,
  inspect: Inspect,
  checkpoint: Checkpoint,
): Promise<WorkflowDescription> {
  const info = description.workflowExecutionInfo ?? {};
  const context = contextOf(info, namespace);
  const { details, payloads } = await describedMessage(TYPE, description, context, inspect, checkpoint);
  const workflow = await workflowSummary(info, namespace, inspect, checkpoint);
  return { workflow, relations: workflowRelations(description), details, payloads };
}

/** Returns Temporal's response to a describe request as JSON, with stubs in place of its payloads. */
export async function describedMessage(
  type: string,
  message: object,
  context: PayloadContext,
  inspect: Inspect,
  checkpoint: Checkpoint,
): Promise<Pick<WorkflowDescription, 'details' | 'payloads'>> {
  const found: { location: PayloadLocation; hole: Partial<PayloadPlaceholder> }[] = [];
  const details = writeMessage(type, message, (location) => {
    const hole: Partial<PayloadPlaceholder> = {};
    found.push({ location, hole });
    return hole;
  });
  const refOf = contentRefs();
  const payloads: PayloadStub[] = [];
  for (const { location, hole } of found) {
    await checkpoint();
    const ref = refOf(location);
    hole.$payload = ref;
    payloads.push(payloadStub(ref, location, context, inspect));
  }
  return { details, payloads };
}

const contextOf = (info: Info, namespace: string): PayloadContext =>
  workflowContext({ namespace, workflowId: info.execution?.workflowId ?? '' });

/** Returns the payloads of a description by ref. */
export async function describedPayloads(
  description: object,
  checkpoint: Checkpoint,
  type = TYPE,
): Promise<Map<PayloadRef, PayloadLocation>> {
  const refOf = contentRefs();
  const byRef = new Map<PayloadRef, PayloadLocation>();
  for (const location of findPayloads(type, description)) {
    await checkpoint();
    byRef.set(refOf(location), location);
  }
  return byRef;
}

/**
 * Exclusive upper limit for the number in a description's ref `0:<number>`: 48 bits of a hash, plus room for
 * numbering equal payloads.
 */
export const DESCRIBED_REFS = 2 ** 48 + 2 ** 16;

const nothing = new Uint8Array();

/**
 * Returns a function that derives refs for a description's payloads from a hash of their stored bytes. A
 * position cannot serve as a ref: when a pending activity closes, later payloads move up, and the ref
 * would then name a different payload. Equal payloads get different refs.
 */
function contentRefs(): (location: PayloadLocation) => PayloadRef {
  // The next number to try for each hash, because a memo may contain thousands of equal payloads.
  const nextByHash = new Map<number, number>();
  const used = new Set<number>();
  return ({ payload }) => {
    const hash = createHash('sha256')
      .update(bufferOf(payload.metadata?.['encoding'] ?? nothing))
      .update('\0')
      .update(bufferOf(payload.data ?? nothing));
    const first = hash.digest().readUIntBE(0, 6);
    let n = nextByHash.get(first) ?? first;
    while (used.has(n)) n += 1;
    used.add(n);
    nextByHash.set(first, n + 1);
    return payloadRefOf(0, n);
  };
}

/** Returns a run's relations: parent, root, children, reset points, first run, and the run after a reset. */
export function workflowRelations(description: Description): WorkflowRelations {
  const info = description.workflowExecutionInfo ?? {};
  const { parentExecution: parent, rootExecution: root, firstRunId, parentNamespaceId } = info;
  const resetRunId = description.workflowExtendedInfo?.resetRunId;
  return {
    ...(parent?.workflowId
      ? { parent: { ...ids(parent), ...(parentNamespaceId ? { namespaceId: parentNamespaceId } : {}) } }
      : {}),
    // Temporal names a run without a parent as its own root.
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

/** Returns the status as visibility queries spell it, for example `TimedOut`. */
function statusOf(status: temporal.api.enums.v1.WorkflowExecutionStatus | null | undefined): WorkflowStatus {
  const name: string | undefined = proto.temporal.api.enums.v1.WorkflowExecutionStatus[status ?? 0];
  const parsed = workflowStatus.safeParse(enumName(name ?? '', 'WORKFLOW_EXECUTION_STATUS_'));
  return parsed.data ?? 'Unspecified';
}

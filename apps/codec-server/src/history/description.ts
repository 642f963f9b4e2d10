import { createHash } from 'node:crypto';
import {
  type PayloadStub,
  type WorkflowDescription,
  type WorkflowStatus,
  type WorkflowSummary,
  workflowStatus,
} from '@temporal-kms/codec-api';
import proto, { type temporal } from '@temporalio/proto';
import { type SealedIn, workflowContext } from './context.ts';
import { enumName } from './enum-name.ts';
import { type Found, findPayloads, searchAttributeValues, timestamp, writeMessage } from './message.ts';
import { workflowRelations } from './relations.ts';
import { type Inspect, placeholder, stubOf } from './stub.ts';

type Info = temporal.api.workflow.v1.IWorkflowExecutionInfo;
type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

const TYPE = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';

/** A list's row, and the head of a description. */
export function workflowSummary(info: Info, namespace: string, inspect: Inspect): WorkflowSummary {
  const refs = contentRefs();
  const context = contextOf(info, namespace);
  const memo = findPayloads('temporal.api.common.v1.Memo', info.memo ?? {});
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
      ? {
          parent: { workflowId: info.parentExecution.workflowId, runId: info.parentExecution.runId ?? '' },
        }
      : {}),
    searchAttributes: searchAttributeValues(info.searchAttributes),
    memo: memo.map((found) =>
      stubOf(refs(found), { ...found, path: `memo.${found.path}` }, context, inspect),
    ),
  };
}

export function workflowDescription(
  description: Description,
  namespace: string,
  inspect: Inspect,
): WorkflowDescription {
  const refs = contentRefs();
  const info = description.workflowExecutionInfo ?? {};
  const context = contextOf(info, namespace);
  const payloads: PayloadStub[] = [];
  const details = writeMessage(TYPE, description, (found) => {
    const ref = refs(found);
    payloads.push(stubOf(ref, found, context, inspect));
    return placeholder(ref);
  });
  const workflow = workflowSummary(info, namespace, inspect);
  return { workflow, relations: workflowRelations(description), details, payloads };
}

const contextOf = (info: Info, namespace: string): SealedIn =>
  workflowContext({ namespace, workflowId: info.execution?.workflowId ?? '' });

/** The payloads of a description by ref. */
export function describedPayloads(description: Description): Map<string, Found> {
  const refs = contentRefs();
  return new Map(findPayloads(TYPE, description).map((found) => [refs(found), found]));
}

/** What a ref of a description is below; a few above it where equal payloads stand beside each other. */
export const DESCRIBED_REFS = 2 ** 48 + 2 ** 16;

/**
 * Names a description's payloads by their stored bytes: what stands first now may stand third in a second, when a
 * pending activity has closed, and a ref must never come to mean another payload. Two equal payloads get two refs.
 */
function contentRefs(): (found: Found) => string {
  // The number after the last one that was given for a hash: a memo may hold thousands of equal payloads.
  const nextOf = new Map<number, number>();
  const given = new Set<number>();
  return ({ payload }) => {
    const hash = createHash('sha256')
      .update(payload.metadata?.['encoding'] ?? '')
      .update('\0')
      .update(payload.data ?? '');
    const first = hash.digest().readUIntBE(0, 6);
    let n = nextOf.get(first) ?? first;
    while (given.has(n)) n += 1;
    given.add(n);
    nextOf.set(first, n + 1);
    return `0:${n}`;
  };
}

/** `WORKFLOW_EXECUTION_STATUS_TIMED_OUT` is `TimedOut`, as Temporal's queries have it. */
function statusOf(status: temporal.api.enums.v1.WorkflowExecutionStatus | null | undefined): WorkflowStatus {
  const name: string | undefined = proto.temporal.api.enums.v1.WorkflowExecutionStatus[status ?? 0];
  const parsed = workflowStatus.safeParse(enumName(name ?? '', 'WORKFLOW_EXECUTION_STATUS_'));
  return parsed.data ?? 'Unspecified';
}

import { at, closedAs, textAt } from '@temporal-kms/histories/events';
import {
  type HistoryEvent,
  partsOfRef,
  type PayloadStub,
  type WorkflowDescription,
  type WorkflowRelations,
} from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';

export interface FileHistory {
  readonly first: HistoryEvent;
  readonly last: HistoryEvent;
  readonly workflowId: string;
  readonly runId: string;
  readonly events: number;
  /** Size of the run's events in the file. */
  readonly bytes: number;
}

/** The fields that a run's first event and its description have in common. */
const configFields = ['workflowExecutionTimeout', 'workflowRunTimeout', 'workflowTaskTimeout'] as const;
const infoFields = [
  'firstExecutionRunId',
  'cronSchedule',
  'identity',
  'attempt',
  'retryPolicy',
  'priority',
] as const;

/** Returns the parts of a run's description that its first and last events contain. */
export function describeFile({
  first,
  last,
  workflowId,
  runId,
  events,
  bytes,
}: FileHistory): WorkflowDescription {
  const { attributes, payloads } = first;
  const status = closedAs(last.eventName) ?? 'Running';
  const parent = executionAt(attributes, 'parentWorkflowExecution');
  const memo = payloads.filter(({ path }) => path.startsWith('memo.'));
  return {
    workflow: {
      workflowId,
      runId,
      type: textAt(attributes, 'workflowType', 'name') ?? '',
      taskQueue: textAt(attributes, 'taskQueue', 'name') ?? '',
      status,
      startTime: first.eventTime,
      ...(status === 'Running' ? {} : { closeTime: last.eventTime }),
      historyLength: events,
      historySizeBytes: bytes,
      ...(parent && { parent }),
      searchAttributes: recordAt(attributes, 'searchAttributes', 'indexedFields'),
      memo,
    },
    relations: relationsOf(attributes, runId),
    details: {
      workflowExecutionInfo: fieldsOf(attributes, infoFields),
      executionConfig: fieldsOf(attributes, configFields),
    },
    payloads: memo,
  };
}

function relationsOf(attributes: unknown, runId: string): WorkflowRelations {
  const parent = executionAt(attributes, 'parentWorkflowExecution');
  const root = executionAt(attributes, 'rootWorkflowExecution');
  const firstRunId = textAt(attributes, 'firstExecutionRunId');
  return {
    ...(parent && { parent }),
    ...(root && root.runId !== runId && { root }),
    ...(firstRunId === undefined ? {} : { firstRunId }),
    children: [],
    resetPoints: [],
  };
}

function executionAt(attributes: unknown, name: string): { workflowId: string; runId: string } | undefined {
  const workflowId = textAt(attributes, name, 'workflowId');
  return workflowId === undefined
    ? undefined
    : { workflowId, runId: textAt(attributes, name, 'runId') ?? '' };
}

function recordAt(value: unknown, ...path: string[]): Record<string, unknown> {
  const found = at(value, ...path);
  return isRecord(found) ? found : {};
}

const fieldsOf = (attributes: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    names.flatMap((name) => (name in attributes ? [[name, attributes[name]] as const] : [])),
  );

/** Returns the ids of the refs' events. */
export const eventIdsOf = (refs: readonly PayloadStub['ref'][]): number[] => [
  ...new Set(refs.map((ref) => partsOfRef(ref).eventId)),
];

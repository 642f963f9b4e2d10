import type { temporal } from '@temporalio/proto';

type ProtoEvent = temporal.api.history.v1.IHistoryEvent;

/** What a payload may be bound to; given to the codec. */
export interface SealedIn {
  readonly type: 'workflow';
  readonly namespace: string;
  readonly workflowId: string;
}

export const workflowContext = ({ namespace, workflowId }: Omit<SealedIn, 'type'>): SealedIn => ({
  type: 'workflow',
  namespace,
  workflowId,
});

/**
 * The workflow whose context an event's payloads were sealed in. A child's input, result and failure, and a signal to
 * another workflow, are sealed for that workflow, whichever history they stand in (SDK 1.24, WorkflowCodecRunner).
 *
 * The namespace is always the one asked for: what it may read of other namespaces is for its rule (`accepts`) to say,
 * not for the history.
 */
export function sealedIn(event: ProtoEvent, path: string, own: SealedIn): SealedIn {
  const other = targetOf(event, path);
  return other ? { ...own, workflowId: other } : own;
}

function targetOf(event: ProtoEvent, path: string): string | null | undefined {
  const signal = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
  if (signal) return path.startsWith('userMetadata') ? undefined : signal.workflowExecution?.workflowId;
  const child =
    event.childWorkflowExecutionCompletedEventAttributes ??
    event.childWorkflowExecutionFailedEventAttributes ??
    event.childWorkflowExecutionCanceledEventAttributes ??
    event.childWorkflowExecutionTimedOutEventAttributes ??
    event.childWorkflowExecutionTerminatedEventAttributes ??
    event.childWorkflowExecutionStartedEventAttributes;
  if (child) return child.workflowExecution?.workflowId;
  return event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId;
}

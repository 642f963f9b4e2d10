import { textAt } from '../events/proto-json.ts';
import type { RunEvent } from '../events/groups.ts';
import { type Cause, causeOf, failureOf } from './cause.ts';
import type { ReadPayload } from './run.ts';

/**
 * Returns why a run ended badly, from its last event alone: that event has the whole chain of failures through
 * activities and children. Undefined for a run that completed, continued as new, or was canceled.
 *
 * @example
 * causeOfEnd(lastEvent, allLocked)?.type; // 'CardDeclined', 'WorkflowTimedOut', 'WorkflowTerminated'
 */
export function causeOfEnd(
  { eventName, attributes }: Pick<RunEvent, 'eventName' | 'attributes'>,
  read: ReadPayload,
): Cause | undefined {
  switch (eventName) {
    case 'WorkflowExecutionFailed':
      return causeOf(failureOf(attributes), { groups: [], read }) ?? withoutFailure('WorkflowFailed', '');
    case 'WorkflowExecutionTimedOut':
      return withoutFailure('WorkflowTimedOut', '');
    case 'WorkflowExecutionTerminated':
      // Temporal stores the reason in plaintext.
      return withoutFailure('WorkflowTerminated', textAt(attributes, 'reason') ?? '');
    default:
      return undefined;
  }
}

const withoutFailure = (type: string, text: string): Cause => ({
  kind: type,
  type,
  nonRetryable: false,
  message: { status: 'readable', text, encrypted: false },
  frames: [],
  places: [],
  wrappers: [],
  refs: [],
});

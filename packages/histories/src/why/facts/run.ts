import type {
  Attributes,
  PayloadRef,
  ReasonCode,
  RunTaskQueue,
  WorkflowStatus,
} from '@temporal-kms/codec-api';
import type { EventGroup, RunEvent } from '../../events/groups.ts';
import type { Usual } from './usual.ts';

/**
 * A payload's value, if known. `locked` means that the caller has not decrypted the payload; the explanation
 * then contains only types and names.
 */
export type Reading =
  | { readonly status: 'readable'; readonly value: unknown }
  | { readonly status: 'locked' }
  | { readonly status: 'unreadable'; readonly reason: ReasonCode };

/** Returns a payload's JSON value, or why the value is unknown. */
export type ReadPayload = (ref: PayloadRef) => Reading;

/** Treats every payload as locked, for explanations that are based only on metadata. */
export const allLocked: ReadPayload = () => ({ status: 'locked' });

/**
 * A task queue that a run depends on. Workers may poll the queue for workflow tasks only, or for activities
 * only.
 */
export type WhyQueue = Pick<RunTaskQueue, 'name' | 'kind' | 'polling'>;

/** The input of an explanation. */
export interface WhyRun {
  /** The run's events, in order and without gaps: `events[i].eventId === i + 1`. */
  readonly events: readonly RunEvent[];
  /** The groups in the order of their heads, as `groupEvents` returns them. */
  readonly groups: readonly EventGroup[];
  readonly status: WorkflowStatus;
  /**
   * `DescribeWorkflowExecutionResponse` in proto3 JSON with placeholders. No other source contains the
   * attempts of pending work.
   */
  readonly details?: Attributes | undefined;
  /** The task queues with their pollers; absent if the caller has not requested the pollers from Temporal. */
  readonly queues?: readonly WhyQueue[] | undefined;
  /** How long runs of this type usually take; absent if the caller does not know. */
  readonly usual?: Usual | undefined;
  readonly read: ReadPayload;
  /** The current time in milliseconds since 1970; for a history file, the time of the last event. */
  readonly now: number;
}

/** Returns whether the run can still get events. A paused run counts as open. */
export const isOpen = ({ status }: Pick<WhyRun, 'status'>): boolean =>
  status === 'Running' || status === 'Paused';

import type {
  Attributes,
  PayloadRef,
  ReasonCode,
  RunTaskQueue,
  WorkflowStatus,
} from '@temporal-kms/codec-api';
import type { EventGroup, RunEvent } from '../events/groups.ts';

/**
 * What is known of a payload's value. For a payload that the caller has not decrypted it is `locked`; the explanation then
 * contains types and names only.
 */
export type Reading =
  | { readonly status: 'readable'; readonly value: unknown }
  | { readonly status: 'locked' }
  | { readonly status: 'unreadable'; readonly reason: ReasonCode };

/** Returns the JSON value of a payload, or why there is none. */
export type ReadPayload = (ref: PayloadRef) => Reading;

/** Reads nothing: for metadata only. */
export const allLocked: ReadPayload = () => ({ status: 'locked' });

/** A task queue on which a run depends. A worker may poll it for workflow tasks only, or for activities only. */
export type WhyQueue = Pick<RunTaskQueue, 'name' | 'kind' | 'polling'>;

/** Everything that an explanation is made from. */
export interface WhyRun {
  /** `events[i].eventId === i + 1`. */
  readonly events: readonly RunEvent[];
  /** In the order of their heads, as `groupEvents` returns them. */
  readonly groups: readonly EventGroup[];
  readonly status: WorkflowStatus;
  /** `DescribeWorkflowExecutionResponse` in proto3 JSON with placeholders. Only it contains the attempts of pending work. */
  readonly details?: Attributes | undefined;
  /** Absent if the caller has not asked Temporal for pollers. */
  readonly queues?: readonly WhyQueue[] | undefined;
  readonly read: ReadPayload;
  /** Milliseconds since 1970. For a file: the time of its last event. */
  readonly now: number;
}

/** Whether the run can still get events. A paused run can. */
export const isOpen = ({ status }: Pick<WhyRun, 'status'>): boolean =>
  status === 'Running' || status === 'Paused';

import type { Outcome } from './outcome.ts';

/** What an event is about. */
export type Category =
  | 'workflow'
  | 'task'
  | 'activity'
  | 'local'
  | 'timer'
  | 'child'
  | 'external'
  | 'signal'
  | 'update'
  | 'nexus'
  | 'marker'
  | 'other';

/** How the dashboard displays and groups events of one type. */
export interface EventKind {
  readonly category: Category;
  /** What happened, in a word or two. Empty for an unknown type. */
  readonly title: string;
  /**
   * The name of the attribute that contains the event id of the group's head. A head has no such attribute.
   */
  readonly joins?: string;
  /** The outcome of the group, if this event ends it. */
  readonly ends?: Outcome;
  /** True if this event is the head of a group that stays open until another event ends it. */
  readonly opens?: boolean;
}

const head = (category: Category, title: string): EventKind => ({ category, title, opens: true });
const single = (category: Category, title: string, ends?: Outcome): EventKind =>
  ends ? { category, title, ends } : { category, title };
const follower = (category: Category, joins: string, title: string, ends?: Outcome): EventKind =>
  ends ? { category, joins, title, ends } : { category, joins, title };

/**
 * The kinds of events, keyed by the event type's name as the history API sends it, in the order of
 * `temporal.api.enums.v1.EventType`.
 */
export const eventKinds: Readonly<Record<string, EventKind>> = {
  WorkflowExecutionStarted: single('workflow', 'Started'),
  WorkflowExecutionCompleted: single('workflow', 'Completed', 'ok'),
  WorkflowExecutionFailed: single('workflow', 'Failed', 'failed'),
  WorkflowExecutionTimedOut: single('workflow', 'Timed out', 'timed-out'),
  WorkflowTaskScheduled: head('task', 'Scheduled'),
  WorkflowTaskStarted: follower('task', 'scheduledEventId', 'Started'),
  WorkflowTaskCompleted: follower('task', 'scheduledEventId', 'Completed', 'ok'),
  WorkflowTaskTimedOut: follower('task', 'scheduledEventId', 'Timed out', 'timed-out'),
  WorkflowTaskFailed: follower('task', 'scheduledEventId', 'Failed', 'failed'),
  ActivityTaskScheduled: head('activity', 'Scheduled'),
  ActivityTaskStarted: follower('activity', 'scheduledEventId', 'Started'),
  ActivityTaskCompleted: follower('activity', 'scheduledEventId', 'Completed', 'ok'),
  ActivityTaskFailed: follower('activity', 'scheduledEventId', 'Failed', 'failed'),
  ActivityTaskTimedOut: follower('activity', 'scheduledEventId', 'Timed out', 'timed-out'),
  ActivityTaskCancelRequested: follower('activity', 'scheduledEventId', 'Cancel requested'),
  ActivityTaskCanceled: follower('activity', 'scheduledEventId', 'Canceled', 'canceled'),
  TimerStarted: head('timer', 'Started'),
  TimerFired: follower('timer', 'startedEventId', 'Fired', 'ok'),
  TimerCanceled: follower('timer', 'startedEventId', 'Canceled', 'canceled'),
  WorkflowExecutionCancelRequested: single('workflow', 'Cancel requested'),
  WorkflowExecutionCanceled: single('workflow', 'Canceled', 'canceled'),
  RequestCancelExternalWorkflowExecutionInitiated: head('external', 'Cancel requested'),
  RequestCancelExternalWorkflowExecutionFailed: follower(
    'external',
    'initiatedEventId',
    'Cancel failed',
    'failed',
  ),
  ExternalWorkflowExecutionCancelRequested: follower(
    'external',
    'initiatedEventId',
    'Cancel delivered',
    'ok',
  ),
  MarkerRecorded: single('marker', 'Recorded'),
  WorkflowExecutionSignaled: single('signal', 'Received'),
  WorkflowExecutionTerminated: single('workflow', 'Terminated', 'terminated'),
  WorkflowExecutionContinuedAsNew: single('workflow', 'Continued as new', 'continued'),
  StartChildWorkflowExecutionInitiated: head('child', 'Initiated'),
  StartChildWorkflowExecutionFailed: follower('child', 'initiatedEventId', 'Start failed', 'failed'),
  ChildWorkflowExecutionStarted: follower('child', 'initiatedEventId', 'Started'),
  ChildWorkflowExecutionCompleted: follower('child', 'initiatedEventId', 'Completed', 'ok'),
  ChildWorkflowExecutionFailed: follower('child', 'initiatedEventId', 'Failed', 'failed'),
  ChildWorkflowExecutionCanceled: follower('child', 'initiatedEventId', 'Canceled', 'canceled'),
  ChildWorkflowExecutionTimedOut: follower('child', 'initiatedEventId', 'Timed out', 'timed-out'),
  ChildWorkflowExecutionTerminated: follower('child', 'initiatedEventId', 'Terminated', 'terminated'),
  SignalExternalWorkflowExecutionInitiated: head('external', 'Signal sent'),
  SignalExternalWorkflowExecutionFailed: follower('external', 'initiatedEventId', 'Signal failed', 'failed'),
  ExternalWorkflowExecutionSignaled: follower('external', 'initiatedEventId', 'Signal delivered', 'ok'),
  UpsertWorkflowSearchAttributes: single('workflow', 'Search attributes set'),
  WorkflowExecutionUpdateAccepted: head('update', 'Accepted'),
  WorkflowExecutionUpdateRejected: single('update', 'Rejected', 'failed'),
  WorkflowExecutionUpdateCompleted: follower('update', 'acceptedEventId', 'Completed', 'ok'),
  WorkflowPropertiesModifiedExternally: single('workflow', 'Modified externally'),
  ActivityPropertiesModifiedExternally: follower('activity', 'scheduledEventId', 'Modified externally'),
  WorkflowPropertiesModified: single('workflow', 'Memo modified'),
  WorkflowExecutionUpdateAdmitted: head('update', 'Admitted'),
  NexusOperationScheduled: head('nexus', 'Scheduled'),
  NexusOperationStarted: follower('nexus', 'scheduledEventId', 'Started'),
  NexusOperationCompleted: follower('nexus', 'scheduledEventId', 'Completed', 'ok'),
  NexusOperationFailed: follower('nexus', 'scheduledEventId', 'Failed', 'failed'),
  NexusOperationCanceled: follower('nexus', 'scheduledEventId', 'Canceled', 'canceled'),
  NexusOperationTimedOut: follower('nexus', 'scheduledEventId', 'Timed out', 'timed-out'),
  NexusOperationCancelRequested: follower('nexus', 'scheduledEventId', 'Cancel requested'),
  WorkflowExecutionOptionsUpdated: single('workflow', 'Options updated'),
  NexusOperationCancelRequestCompleted: follower('nexus', 'scheduledEventId', 'Cancel delivered'),
  NexusOperationCancelRequestFailed: follower('nexus', 'scheduledEventId', 'Cancel failed'),
  WorkflowExecutionPaused: single('workflow', 'Paused'),
  WorkflowExecutionUnpaused: single('workflow', 'Unpaused'),
  WorkflowExecutionTimeSkippingTransitioned: single('workflow', 'Time skipped'),
};

/**
 * The kind of an event type that is newer than this list. The dashboard shows the type's name as the server
 * sent it.
 */
const unknown: EventKind = single('other', '');

export const eventKind = ({ eventName }: { readonly eventName: string }): EventKind =>
  eventKinds[eventName] ?? unknown;

import type { Outcome } from './outcome.ts';

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

export interface EventKind {
  readonly category: Category;
  /** What an event row says. */
  readonly title: string;
  /** The attribute that holds the event id of the group to join; absent for a head. */
  readonly joins?: string;
  /** The outcome that this event gives its group. */
  readonly ends?: Outcome;
  /** True for a head that other events close: without one of them the work is still open. */
  readonly opens?: boolean;
}

const head = (category: Category, title: string): EventKind => ({ category, title, opens: true });
const single = (category: Category, title: string, ends?: Outcome): EventKind =>
  ends ? { category, title, ends } : { category, title };
const follower = (category: Category, joins: string, title: string, ends?: Outcome): EventKind =>
  ends ? { category, joins, title, ends } : { category, joins, title };

/** By numeric `EventType` (temporal.api.enums.v1); names are not parsed, so a rename can't move an event. */
const kinds: Readonly<Record<number, EventKind>> = {
  1: single('workflow', 'Started'),
  2: single('workflow', 'Completed', 'ok'),
  3: single('workflow', 'Failed', 'failed'),
  4: single('workflow', 'Timed out', 'timed-out'),
  5: head('task', 'Scheduled'),
  6: follower('task', 'scheduledEventId', 'Started'),
  7: follower('task', 'scheduledEventId', 'Completed', 'ok'),
  8: follower('task', 'scheduledEventId', 'Timed out', 'timed-out'),
  9: follower('task', 'scheduledEventId', 'Failed', 'failed'),
  10: head('activity', 'Scheduled'),
  11: follower('activity', 'scheduledEventId', 'Started'),
  12: follower('activity', 'scheduledEventId', 'Completed', 'ok'),
  13: follower('activity', 'scheduledEventId', 'Failed', 'failed'),
  14: follower('activity', 'scheduledEventId', 'Timed out', 'timed-out'),
  15: follower('activity', 'scheduledEventId', 'Cancel requested'),
  16: follower('activity', 'scheduledEventId', 'Canceled', 'canceled'),
  17: head('timer', 'Started'),
  18: follower('timer', 'startedEventId', 'Fired', 'ok'),
  19: follower('timer', 'startedEventId', 'Canceled', 'canceled'),
  20: single('workflow', 'Cancel requested'),
  21: single('workflow', 'Canceled', 'canceled'),
  22: head('external', 'Cancel requested'),
  23: follower('external', 'initiatedEventId', 'Cancel failed', 'failed'),
  24: follower('external', 'initiatedEventId', 'Cancel delivered', 'ok'),
  25: single('marker', 'Recorded'),
  26: single('signal', 'Received'),
  27: single('workflow', 'Terminated', 'terminated'),
  28: single('workflow', 'Continued as new', 'continued'),
  29: head('child', 'Initiated'),
  30: follower('child', 'initiatedEventId', 'Start failed', 'failed'),
  31: follower('child', 'initiatedEventId', 'Started'),
  32: follower('child', 'initiatedEventId', 'Completed', 'ok'),
  33: follower('child', 'initiatedEventId', 'Failed', 'failed'),
  34: follower('child', 'initiatedEventId', 'Canceled', 'canceled'),
  35: follower('child', 'initiatedEventId', 'Timed out', 'timed-out'),
  36: follower('child', 'initiatedEventId', 'Terminated', 'terminated'),
  37: head('external', 'Signal sent'),
  38: follower('external', 'initiatedEventId', 'Signal failed', 'failed'),
  39: follower('external', 'initiatedEventId', 'Signal delivered', 'ok'),
  40: single('workflow', 'Search attributes set'),
  41: head('update', 'Accepted'),
  42: single('update', 'Rejected', 'failed'),
  43: follower('update', 'acceptedEventId', 'Completed', 'ok'),
  44: single('workflow', 'Changed from outside'),
  45: follower('activity', 'scheduledEventId', 'Changed from outside'),
  46: single('workflow', 'Memo changed'),
  47: head('update', 'Admitted'),
  48: head('nexus', 'Scheduled'),
  49: follower('nexus', 'scheduledEventId', 'Started'),
  50: follower('nexus', 'scheduledEventId', 'Completed', 'ok'),
  51: follower('nexus', 'scheduledEventId', 'Failed', 'failed'),
  52: follower('nexus', 'scheduledEventId', 'Canceled', 'canceled'),
  53: follower('nexus', 'scheduledEventId', 'Timed out', 'timed-out'),
  54: follower('nexus', 'scheduledEventId', 'Cancel requested'),
  55: single('workflow', 'Options changed'),
  56: follower('nexus', 'scheduledEventId', 'Cancel delivered'),
  57: follower('nexus', 'scheduledEventId', 'Cancel failed'),
  58: single('workflow', 'Paused'),
  59: single('workflow', 'Unpaused'),
  60: single('workflow', 'Time skipped'),
};

/** Newer than this list: shown by the server's name for it, never an error. */
const unknown: EventKind = single('other', '');

export const eventKind = (eventType: number): EventKind => kinds[eventType] ?? unknown;

export const eventType = {
  workflowStarted: 1,
  workflowCompleted: 2,
  workflowFailed: 3,
  workflowTimedOut: 4,
  activityStarted: 11,
  timerStarted: 17,
  workflowCanceled: 21,
  workflowTerminated: 27,
  marker: 25,
  workflowContinued: 28,
  childStarted: 31,
  updateAccepted: 41,
  updateRejected: 42,
  updateCompleted: 43,
  updateAdmitted: 47,
} as const;

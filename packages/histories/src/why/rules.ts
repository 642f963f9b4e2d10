import type { Rule } from './facts/finding.ts';
import { canceled, codecErrors, failed, terminated, timedOut } from './rules/failed.ts';
import { signalsNotDelivered, signalsWithoutEffect, updatesOpen } from './rules/messages.ts';
import {
  activitiesNotTaken,
  activitiesPaused,
  nexusBlocked,
  openSteps,
  retries,
  timers,
} from './rules/pending.ts';
import { failuresInPlaintext } from './rules/plaintext.ts';
import { slow } from './rules/slow.ts';
import { startDelayed } from './rules/start.ts';
import { failedSteps } from './rules/steps.ts';
import {
  cancelRequested,
  nothingPending,
  runPaused,
  taskFailing,
  taskNotTaken,
  taskOpen,
} from './rules/task.ts';

/**
 * The rules for everything that an explanation can contain, most urgent first. A rule depends only on the
 * run, and has no state. Several rules of the same severity may apply to a run, but two rules never report
 * the same fact.
 */
export const rules = [
  // How the run ended
  { id: 'codec-failed', severity: 'failed', title: 'Codec error', find: codecErrors('ended') },
  { id: 'run-failed', severity: 'failed', title: 'Failed', find: failed },
  { id: 'run-timed-out', severity: 'failed', title: 'Exceeded its time limit', find: timedOut },
  { id: 'run-terminated', severity: 'failed', title: 'Terminated', find: terminated },
  { id: 'run-canceled', severity: 'failed', title: 'Canceled on request', find: canceled },
  // Why the run is stuck
  { id: 'codec-stuck', severity: 'stuck', title: 'Codec error', find: codecErrors('open') },
  {
    id: 'nondeterminism',
    severity: 'stuck',
    title: 'The code does not match the history',
    past: 'The code did not match the history',
    remedy:
      'Deploy code that replays this history (patch or version the change), or reset the run to an event before the mismatch.',
    find: taskFailing('nondeterminism'),
  },
  {
    id: 'deadlock',
    severity: 'stuck',
    title: 'Workflow code blocks its worker',
    past: 'Workflow code blocked its worker',
    remedy: 'Move blocking waits, I/O and long computations from the workflow into activities.',
    find: taskFailing('deadlock'),
  },
  {
    id: 'task-times-out',
    severity: 'stuck',
    title: 'Workflow task times out',
    past: 'Workflow task timed out',
    remedy: 'Look for workers that crash, run out of memory, or block while they replay.',
    find: taskFailing('timeout'),
  },
  {
    id: 'unhandled-command',
    severity: 'stuck',
    title: 'Workflow ends while messages arrive',
    past: 'Workflow tried to end while messages arrived',
    remedy: 'Temporal repeats the task. If the problem continues, drain signals before the workflow returns.',
    find: taskFailing('unhandled'),
  },
  {
    id: 'task-fails',
    severity: 'stuck',
    title: 'Workflow task fails',
    past: 'Workflow task failed',
    remedy: 'Fix and deploy the workflow code: Temporal repeats the task, and the run then continues.',
    find: taskFailing('other'),
  },
  { id: 'run-paused', severity: 'stuck', title: 'Paused', remedy: 'Unpause the run.', find: runPaused },
  {
    id: 'task-not-taken',
    severity: 'stuck',
    title: 'No worker takes the workflow task',
    past: 'No worker took the workflow task',
    remedy: 'Start a worker for the task queue, or check the versions that its workers poll for.',
    find: taskNotTaken,
  },
  {
    id: 'activity-not-taken',
    severity: 'stuck',
    title: 'No worker takes the activity',
    remedy: 'Start a worker with this activity for the task queue.',
    find: activitiesNotTaken,
  },
  {
    id: 'activity-paused',
    severity: 'stuck',
    title: 'Activity paused',
    remedy: 'Unpause the activity.',
    find: activitiesPaused,
  },
  {
    id: 'activity-retries',
    severity: 'stuck',
    title: 'Activity fails and is retried',
    find: retries('activity'),
  },
  {
    id: 'nexus-blocked',
    severity: 'stuck',
    title: 'Nexus operation blocked',
    remedy: 'Temporal calls the endpoint again once its circuit breaker closes: check the endpoint.',
    find: nexusBlocked,
  },
  {
    id: 'nexus-retries',
    severity: 'stuck',
    title: 'Nexus operation fails and is retried',
    find: retries('nexus'),
  },
  {
    id: 'timer-overdue',
    severity: 'stuck',
    title: 'Timer overdue',
    past: 'Timer was overdue',
    remedy: 'Check the health of Temporal: it fires timers even without workers.',
    find: timers(true),
  },
  // What the run waits for
  { id: 'cancel-requested', severity: 'waits', title: 'Cancellation requested', find: cancelRequested },
  {
    id: 'start-delayed',
    severity: 'waits',
    title: 'Start delayed',
    past: 'Start was delayed',
    find: startDelayed,
  },
  {
    id: 'task-open',
    severity: 'waits',
    title: 'Workflow task waits for a worker',
    past: 'Workflow task waited for a worker',
    find: taskOpen,
  },
  {
    id: 'activity-open',
    severity: 'waits',
    title: 'Activity in progress',
    past: 'Activity was in progress',
    find: openSteps('activity'),
  },
  {
    id: 'child-open',
    severity: 'waits',
    title: 'Child workflow in progress',
    past: 'Child workflow was in progress',
    find: openSteps('child'),
  },
  {
    id: 'nexus-open',
    severity: 'waits',
    title: 'Nexus operation in progress',
    past: 'Nexus operation was in progress',
    find: openSteps('nexus'),
  },
  {
    id: 'message-open',
    severity: 'waits',
    title: 'Message to another workflow not delivered',
    past: 'Message to another workflow was not delivered',
    find: openSteps('external'),
  },
  { id: 'update-open', severity: 'waits', title: 'Update without a result', find: updatesOpen },
  { id: 'timer-open', severity: 'waits', title: 'Waiting', past: 'Timer was open', find: timers(false) },
  { id: 'signal-not-delivered', severity: 'waits', title: 'Signal not delivered', find: signalsNotDelivered },
  {
    id: 'signal-without-effect',
    severity: 'waits',
    title: 'Signal without visible effect',
    remedy:
      'If the signal should have an effect, check that the workflow has a handler for that signal name.',
    find: signalsWithoutEffect,
  },
  {
    id: 'nothing-pending',
    severity: 'waits',
    title: 'Nothing pending: only a signal, an update or a cancellation can wake the run',
    find: nothingPending,
  },
  // What else happened
  { id: 'slow', severity: 'note', title: 'Slower than usual', find: slow },
  { id: 'failed-steps', severity: 'note', title: 'Failed steps', find: failedSteps },
  {
    id: 'failure-in-plaintext',
    severity: 'note',
    title: 'Temporal stores a failure in plaintext',
    remedy: 'Find the program that reported the failure, and configure the codec in its clients and workers.',
    find: failuresInPlaintext,
  },
] as const satisfies readonly Rule[];

export type RuleId = (typeof rules)[number]['id'];

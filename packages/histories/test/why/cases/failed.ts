import { reasons } from '@temporal-kms/codec-api';
import { expect } from 'vitest';
import { activityFailure, application, kmsError, pending, runOf, scheduled, started } from '../run.ts';
import type { Cases } from './cases.ts';

/** Runs to which the rules about ended runs and about codec errors apply, and the expected findings. */
export const failedCases = {
  'codec-failed': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskFailed', { scheduledEventId: '5' }],
      ['WorkflowExecutionFailed', { failure: activityFailure(kmsError('key_destroyed', 7)) }],
    ]),
    {
      title: reasons.key_destroyed.title,
      remedy: reasons.key_destroyed.remedy,
      cause: { codec: 'key_destroyed', message: { status: 'locked', ref: '7:1' }, refs: ['7:1'] },
      place: { name: 'charge' },
      eventId: 6,
    },
  ],
  'run-failed': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 5 }],
      ['ActivityTaskFailed', { scheduledEventId: '5', failure: application('CardDeclined', 'declined') }],
      ['WorkflowExecutionFailed', { failure: activityFailure(application('CardDeclined', 'declined')) }],
    ]),
    {
      fingerprint: expect.stringMatching(/^\d+-[\da-f]{16}$/),
      eventId: 7,
      attempt: 5,
      cause: { type: 'CardDeclined', message: { text: 'declined' }, wrappers: ['ActivityFailure'] },
      place: { kind: 'activity', name: 'charge', worker: 'worker-7', retryState: 'maximum attempts reached' },
    },
  ],
  'run-timed-out': [
    runOf([
      ['WorkflowExecutionStarted', { workflowRunTimeout: '3600s' }],
      ['WorkflowExecutionTimedOut', { retryState: 'RETRY_STATE_IN_PROGRESS' }, 3600],
    ]),
    { detail: 'The run’s time limit was 1 h. Temporal has started the run again.' },
  ],
  'run-terminated': [
    runOf([...started, ['WorkflowExecutionTerminated', { identity: 'ada', reason: 'duplicate' }]]),
    { detail: 'By ada. Reason: duplicate.', eventId: 5 },
  ],
  'run-canceled': [
    runOf([
      ...started,
      ['WorkflowExecutionCancelRequested', { identity: 'ada', cause: 'no stock' }],
      ['WorkflowExecutionCanceled', {}],
    ]),
    { detail: 'By ada. Reason: no stock.', eventId: 5 },
  ],
  'codec-stuck': [
    runOf([...started, scheduled], pending({ attempt: 7, lastFailure: kmsError('key_disabled', 0) })),
    { title: reasons.key_disabled.title, attempt: 7, place: { name: 'charge', eventId: 5 } },
  ],
} satisfies Cases;

import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import { activityFailure, application, kmsError, runOf, scheduled, started } from '../run.ts';

describe('the rule failed-steps', () => {
  it('states why Temporal did not start a child workflow', () => {
    const run = runOf([
      ...started,
      ['StartChildWorkflowExecutionInitiated', { workflowId: 'ship-7', workflowType: { name: 'ship' } }],
      [
        'StartChildWorkflowExecutionFailed',
        {
          initiatedEventId: '5',
          cause: 'START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS',
        },
      ],
      ['WorkflowExecutionCompleted', {}],
    ]);
    expect(explain(run).findings).toMatchObject([
      {
        rule: 'failed-steps',
        detail: '#6 (workflow already exists)',
        place: { kind: 'child', name: 'ship' },
      },
    ]);
  });

  it.each([
    ['an application error', application('CardDeclined', 'declined')],
    ['a codec error', kmsError('key_disabled', 8)],
  ])('leaves out the failure that ended the run, %s', (_, failure) => {
    const run = runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 3 }],
      ['ActivityTaskFailed', { scheduledEventId: '5', failure }],
      ['WorkflowExecutionFailed', { failure: activityFailure(failure) }],
    ]);
    expect(explain(run).findings).toMatchObject([{ severity: 'failed', eventId: 7, attempt: 3 }]);
  });
});

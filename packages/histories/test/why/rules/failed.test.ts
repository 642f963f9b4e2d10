import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import { application, reading, type Recorded, runOf, started } from '../run.ts';

describe('the rules about how a run ended', () => {
  it.each([
    [
      'activityFailureInfo',
      { scheduledEventId: '5', activityType: { name: 'charge' } },
      'An attempt took longer than its time limit.',
    ],
    [
      'childWorkflowExecutionFailureInfo',
      { initiatedEventId: '5', workflowType: { name: 'ship' } },
      'The child workflow exceeded its time limit.',
    ],
    [
      'nexusOperationExecutionFailureInfo',
      { scheduledEventId: '5', service: 'bank', operation: 'pay' },
      'The Nexus operation exceeded its time limit.',
    ],
  ])('states which time limit a step with %s exceeded', (member, info, detail) => {
    const cause = { message: 'timeout', timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_START_TO_CLOSE' } };
    const failure = { message: 'step failed', [member]: info, cause };
    const [found] = explain(runOf([...started, ['WorkflowExecutionFailed', { failure }]])).findings;
    expect(found).toMatchObject({ rule: 'run-failed', detail });
  });

  it("derives an error's step and class if the error contains neither", () => {
    const failure = {
      message: 'no price',
      stackTrace: 'app.js:6\n  throw error\n\nTypeError: no price\n    at own (/srv/app/p.ts:1:2)',
    };
    const start: Recorded[] = [
      ...started,
      ['MarkerRecorded', { markerName: 'core_local_activity', failure }],
    ];
    const end: Recorded = ['WorkflowExecutionFailed', { failure }];
    expect(explain(runOf([...start, end])).findings).toMatchObject([
      {
        rule: 'run-failed',
        cause: { kind: 'Failure', type: 'TypeError' },
        place: { kind: 'local', eventId: 5 },
      },
    ]);
    const signals = Array.from({ length: 40 }, (): Recorded => ['WorkflowExecutionSignaled', {}]);
    const large = explain(runOf([...start, ...signals, end])).findings.at(-1);
    expect(large).toMatchObject({ rule: 'failed-steps', title: '1 failure in 41 steps' });
    expect(large).not.toHaveProperty('cause');
  });

  it('names a local activity once the payload with its name is readable', () => {
    const run = runOf([
      ...started,
      [
        'MarkerRecorded',
        {
          markerName: 'core_local_activity',
          details: { data: { payloads: [{ $payload: '5:0' }] } },
          failure: application('Bad', 'x'),
        },
      ],
      ['WorkflowExecutionFailed', { failure: application('Bad', 'x') }],
    ]);
    const locked = explain(run);
    expect([locked.refs, locked.locked]).toEqual([['5:0'], 1]);
    const read = explain({ ...run, read: reading({ '5:0': { activity_type: 'price' } }) });
    expect(read.findings[0]).toMatchObject({ rule: 'run-failed', place: { kind: 'local', name: 'price' } });
  });
});

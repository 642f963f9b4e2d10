import { describe, expect, it } from 'vitest';
import { cardLines } from '../../src/why/card-text.ts';
import { explain } from '../../src/why/explain.ts';
import type { WhyRun } from '../../src/why/facts/run.ts';
import {
  activityFailure,
  application,
  pending,
  reading,
  type Recorded,
  runOf,
  scheduled,
  started,
  taskFails,
} from './run.ts';

const card = (run: WhyRun) => cardLines(explain(run), { ...run, howToReveal: 'Reveal it.' });

const failed: Recorded[] = [
  ...started,
  scheduled,
  ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 5 }],
  ['ActivityTaskFailed', { scheduledEventId: '5', failure: application('CardDeclined', '', {}, '7:0') }],
  ['WorkflowExecutionFailed', { failure: activityFailure(application('CardDeclined', '', {}, '8:0')) }],
];
const trace = { message: 'Card 4242 declined', stack_trace: 'E\n    at capture (/srv/app/capture.ts:88:11)' };

const printed = (message: string) => card({ ...runOf(failed), read: reading({ '8:0': { message } }) });

const unreadable = () => ({ status: 'unreadable', reason: 'key_destroyed' }) as const;

describe('cardLines', () => {
  it("lists the root cause's message, then the place, the frame and the wrappers", () => {
    expect(card({ ...runOf(failed), read: reading({ '7:0': trace, '8:0': trace }) })).toEqual([
      'Failed: CardDeclined: Card 4242 declined',
      '  in activity charge, event #7, attempt 5, maximum attempts reached, at 2030-01-31T12:00:07Z',
      '  at capture (/srv/app/capture.ts:88:11)',
      '  ActivityFailure › CardDeclined',
    ]);
  });

  it('lists types and names while payloads are locked, and explains how to reveal the payloads', () => {
    const lines = card(runOf(failed));
    expect(lines[0]).toBe('Failed: CardDeclined (message not decrypted)');
    expect(lines.at(-1)).toBe('1 payload of this card is not decrypted. Reveal it.');
    expect(card({ ...runOf(failed), read: unreadable })[0]).toContain(
      'key_destroyed, Key destroyed. The payload cannot be recovered.',
    );
  });

  it.each([
    ['a start delay', {}, 'The start request contains a delay.'],
    [
      'a cron schedule',
      { cronSchedule: '0 * * * *', initiator: 'CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE' },
      'The cron schedule is 0 * * * *.',
    ],
    [
      'a retry policy',
      { attempt: 3, initiator: 'CONTINUE_AS_NEW_INITIATOR_RETRY' },
      'Attempt 2 of the run failed.',
    ],
  ])('states when a run that waits because of %s will start', (_, attributes, detail) => {
    const start: Recorded = [
      'WorkflowExecutionStarted',
      { firstWorkflowTaskBackoff: '3600s', ...attributes },
    ];
    expect(card(runOf([start]))).toEqual([
      'Start delayed',
      `  ${detail}`,
      '  event #1, starts in 59 min, since 2030-01-31T12:00:00Z (1 min)',
    ]);
  });

  it('states when a step that is retried was first scheduled, and how long ago', () => {
    const lastFailure = application('Timeout', 'no route');
    const run = runOf([...started, scheduled], pending({ attempt: 3, lastFailure }));
    expect(card(run)[1]).toMatch(/, first scheduled 2030-01-31T12:00:04Z \(1 min ago\)$/);
  });

  it('states when a canceled run ended, because the request was earlier', () => {
    const requested: Recorded = ['WorkflowExecutionCancelRequested', { identity: 'ada' }];
    expect(card(runOf([...started, requested, ['WorkflowExecutionCanceled', {}, 9]]))).toEqual([
      'Canceled on request',
      '  By ada.',
      '  event #5, ended 2030-01-31T12:00:09Z',
    ]);
  });

  it('states when a closed run’s last wait began, but not how long ago', () => {
    const run = runOf([...taskFails('FORCE_CLOSE_COMMAND'), ['WorkflowExecutionTimedOut', {}, 3600]]);
    expect(card(run).slice(-2)).toEqual([
      'Workflow task was in progress',
      '  event #5, queue orders, since 2030-01-31T12:00:10Z',
    ]);
  });

  it('prints at most five findings of a rule, and counts the rest', () => {
    const timers = Array.from({ length: 30 }, (): Recorded => [
      'TimerStarted',
      { timerId: '1', startToFireTimeout: '90000s' },
      4,
    ]);
    const lines = card(runOf([...started, ...timers]));
    expect(lines.filter((line) => line.startsWith('Waiting: timer 1'))).toHaveLength(5);
    expect(lines.at(-1)).toBe('Waiting: 25 more');
    expect(lines[1]).toBe('  event #5, fires in 1 d, since 2030-01-31T12:00:04Z (1 min)');
  });

  it('indents the lines of a message, and cuts the message after eight lines or 2,000 characters', () => {
    const lines = printed(`\n\n${Array.from({ length: 20 }, (_, n) => `line ${n}`).join('\n')}`);
    expect(lines.slice(0, 3)).toEqual(['Failed: CardDeclined: line 0', '    line 1', '    line 2']);
    expect(lines.slice(7, 9)).toEqual(['    line 7', '    …']);
    const long = printed('x'.repeat(100_000));
    expect([long[0], long[1]]).toEqual([`Failed: CardDeclined: ${'x'.repeat(2_000)}`, '    …']);
  });

  const workflowId = 'ship-\u202e7';
  const workflowType = { name: 'ship' };
  const initiated: Recorded = ['StartChildWorkflowExecutionInitiated', { workflowId, workflowType }];
  const pendingChildren = [{ workflowId, runId: 'r', workflowTypeName: 'ship', initiatedId: '5' }];
  const childWorkflowExecutionFailureInfo = { workflowExecution: { workflowId }, workflowType };
  it.each([
    ['is pending', runOf([...started, initiated], { details: { pendingChildren } })],
    ['is open in the history', runOf([...started, initiated])],
    [
      'failed',
      runOf([...started, ['WorkflowExecutionFailed', { failure: { childWorkflowExecutionFailureInfo } }]]),
    ],
  ])('keeps the id of a child workflow that %s, and prints invisible characters in it escaped', (_, run) => {
    expect(explain(run).findings[0]?.place?.run?.workflowId).toBe(workflowId);
    expect(card(run).join('\n')).toContain('child workflow ship (ship-\\u202e7)');
  });

  it('states that nothing failed and nothing is pending', () => {
    expect(card(runOf([...started, ['WorkflowExecutionCompleted', {}]]))).toEqual([
      'No step failed, and nothing is pending.',
    ]);
  });
});

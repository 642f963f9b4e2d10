import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/why/explain.ts';
import { type Recorded, runOf, scheduled, signal, started, taskAt, updateAccepted } from '../run.ts';

describe('the rule signal-without-effect', () => {
  it.each<[what: string, expected: boolean, events: Recorded[]]>([
    [
      'accepted an update and scheduled an activity',
      false,
      [
        signal,
        ...taskAt(6),
        updateAccepted,
        ['ActivityTaskScheduled', { ...scheduled[1], workflowTaskCompletedEventId: '8' }],
      ],
    ],
    [
      'completed an update that an earlier task had accepted',
      false,
      [updateAccepted, signal, ...taskAt(7), ['WorkflowExecutionUpdateCompleted', { acceptedEventId: '5' }]],
    ],
    [
      'only accepted and completed an update',
      true,
      [signal, ...taskAt(6), updateAccepted, ['WorkflowExecutionUpdateCompleted', { acceptedEventId: '9' }]],
    ],
  ])('after a task that received a signal and %s, reports the signal: %s', (_, expected, events) => {
    const { findings } = explain(runOf([...started, ...events]));
    expect(findings.some(({ rule }) => rule === 'signal-without-effect')).toBe(expected);
  });
});

import {
  application,
  chargedFor,
  type Recorded,
  runOf,
  scheduled,
  signal,
  START,
  started,
  taskAt,
  updateAccepted,
} from '../run.ts';
import type { Cases } from './cases.ts';

/** Runs to which the rules about messages and the rules for notes apply, and the expected findings. */
export const otherCases = {
  'update-open': [runOf([...started, updateAccepted]), { place: { name: 'approve' }, eventId: 5 }],
  'signal-not-delivered': [
    runOf([...started, signal, ['WorkflowTaskScheduled']]),
    { place: { kind: 'signal', name: 'approve' }, eventId: 5, since: START + 4000 },
  ],
  'signal-without-effect': [
    runOf([...started, signal, ...taskAt(6)]),
    { place: { name: 'approve' }, eventId: 5 },
  ],
  slow: [
    runOf(chargedFor(60), {
      usual: {
        count: 50,
        median: 6700,
        p95: 12_000,
        path: {
          steps: [
            { group: 2, work: 1000, queue: 1000, retry: 0, idle: 0 },
            { group: 5, work: 40_000, queue: 20_000, retry: 0, idle: 0 },
          ],
        },
      },
    }),
    {
      title: 'Slower than usual: 1 min 4 s, median 6.7 s of the last 50 runs',
      place: { kind: 'activity', name: 'charge' },
      eventId: 5,
      detail: 'The longest step on the critical path: 40 s working, 20 s waiting for a worker.',
    },
  ],
  'failure-in-plaintext': [
    runOf([
      ...started,
      scheduled,
      [
        'ActivityTaskFailed',
        {
          scheduledEventId: '5',
          failure: application('CardDeclined', 'Card 4111', { source: 'TypeScriptSDK' }),
        },
      ],
    ]),
    { eventId: 6 },
  ],
  'failed-steps': [
    runOf([
      ...started,
      scheduled,
      ['ActivityTaskStarted', { scheduledEventId: '5', attempt: 1 }],
      ['ActivityTaskFailed', { scheduledEventId: '5', failure: application('CardDeclined', 'declined') }],
      ...Array.from({ length: 780 }, (): Recorded => ['WorkflowExecutionSignaled', {}]),
      ['WorkflowExecutionCompleted', {}],
    ]),
    {
      title: '1 failure in 781 steps',
      detail: '#7',
      eventId: 7,
      place: { name: 'charge' },
      cause: { type: 'CardDeclined' },
    },
  ],
} satisfies Cases;

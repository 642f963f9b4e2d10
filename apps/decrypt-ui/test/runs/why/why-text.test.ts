import type { PayloadRef } from '@temporal-kms/codec-api';
import type { Category, Outcome } from '@temporal-kms/histories/events';
import { allLocked, explain, type ReadPayload } from '@temporal-kms/histories/why';
import { describe, expect, it } from 'vitest';
import { ticketText } from '../../../src/runs/why/ticket.ts';
import { readingOf } from '../../../src/runs/why/use-readings.ts';
import {
  breadcrumb,
  factsOf,
  failedTasksText,
  frameText,
  outcomeOfFinding,
} from '../../../src/runs/why/why-text.ts';
import { alertRuns } from '../../fixtures/alerts.ts';
import { historyOf } from '../../fixtures/history.ts';
import { orderRun } from '../../fixtures/order-run.ts';
import type { FixtureRun } from '../../fixtures/run.ts';
import { failedRun, stuckRuns } from '../../fixtures/runs.ts';

const now = Date.parse('2026-11-24T13:00:00Z');
const format = { zone: 'utc', clock: '24' } as const;

const whyRun = (run: FixtureRun) => {
  const { events, groups } = historyOf(run.events);
  return { events, groups, status: run.status, details: run.description.details, now };
};
/** Reads all payloads that the fixture server would decrypt. */
const readAll =
  (run: FixtureRun): ReadPayload =>
  (ref: PayloadRef) => {
    const result = run.answer(ref);
    return result ? readingOf({ status: 'answered', result }, undefined) : { status: 'locked' };
  };
const firstOf = (run: FixtureRun, read = readAll(run)) => explain({ ...whyRun(run), read }).findings[0]!;

describe('factsOf', () => {
  it('names a failed run’s step, why its retries ended, and the application’s stack frame', () => {
    const finding = firstOf(failedRun(now));
    expect(factsOf(finding, { now, format })).toEqual([
      'in activity charge',
      'attempt 1',
      'non-retryable failure',
      'at capture (capture.ts:88:11)',
      expect.stringMatching(/^at\s.*12:57:04/),
    ]);
    expect(breadcrumb(finding)).toBe('ActivityFailure › ApplicationFailure: CardDeclined › StripeCardError');
  });

  it('names no stack frame while the stack trace is locked', () => {
    const facts = factsOf(firstOf(failedRun(now), allLocked), { now, format });
    expect(facts.join()).not.toContain('capture.ts');
    expect(facts).toContain('in activity charge');
  });

  it('names the attempt, the next attempt and the task queue of an activity that fails repeatedly', () => {
    const facts = factsOf(firstOf(orderRun(now)), { now, format });
    expect(facts).toEqual(
      expect.arrayContaining([
        'activity fails and is retried',
        'in activity CaptureViaAdyen',
        'attempt 3 of 8',
        'next try in 7 m 42 s',
        'queue payments',
        expect.stringMatching(/^first\sscheduled\s/),
      ]),
    );
  });

  it('never says that a timer fires after more than its duration, even if the page’s clock is behind', () => {
    const timer = {
      rule: 'timer-open',
      severity: 'waits',
      title: 'Waiting',
      since: now,
      nextAt: now + 5000,
    } as const;
    expect(factsOf(timer, { now: now - 400, format })).toContain('fires in 5 s');
  });

  it('names the attempt of a workflow task that fails', () => {
    const facts = factsOf(firstOf(alertRuns(now)[0]!), { now, format });
    expect(facts).toContain('the code does not match the history');
    expect(facts).toContain('attempt 14');
  });

  it('states since when no worker has taken a step', () => {
    const facts = factsOf(firstOf(stuckRuns(now)[2]!), { now, format });
    expect(facts.at(-1)).toMatch(/^since\s.*12:56:00/);
  });
});

describe('outcomeOfFinding', () => {
  it.each([
    ['failed', 'run-failed', 'TimedOut', 'timed-out'],
    ['failed', 'run-terminated', 'Terminated', 'terminated'],
    ['stuck', 'task-fails', 'Running', 'failed'],
    ['stuck', 'activity-retries', 'Running', 'pending'],
    ['stuck', 'run-paused', 'Paused', 'paused'],
    ['stuck', 'task-not-taken', 'Running', 'paused'],
    ['waits', 'timer-open', 'Running', 'neutral'],
    ['note', 'failed-steps', 'Completed', 'neutral'],
    ['note', 'failed-steps', 'ContinuedAsNew', 'neutral'],
    ['note', 'failed-steps', 'Running', 'neutral'],
    ['note', 'failed-steps', 'TimedOut', 'failed'],
  ] as const)(
    'gives a finding with severity %s from the rule %s, in a run with status %s, the outcome %s',
    (severity, rule, status, outcome) => {
      expect(outcomeOfFinding({ severity, rule, title: '' }, status)).toBe(outcome);
    },
  );
});

it.each([
  [{ call: 'capture', place: '/srv/src/capture.ts:88:11' }, 'capture (capture.ts:88:11)'],
  [{ call: '', place: String.raw`C:\app\main.py:7` }, 'main.py:7'],
  [{ call: 'com.acme.Pay.run', place: 'Pay.java:41' }, 'com.acme.Pay.run (Pay.java:41)'],
])('shortens the frame %j to %s', (frame, text) => {
  expect(frameText({ ...frame, own: true })).toBe(text);
});

describe('ticketText', () => {
  const run = failedRun(now);
  const source = {
    address: { namespace: 'payments', workflowId: 'charge-88213', runId: run.runId },
    workflow: run.summary,
    run: whyRun(run),
    lockOf: () => undefined,
    link: 'https://dashboard.example/ns/payments/workflows/charge-88213/run',
  };

  it('starts with the run, its address and the root message', () => {
    const [head, link, , first] = ticketText({ ...source, read: readAll(run) }).split('\n');
    expect(head).toBe(`ChargePayment charge-88213, Failed, run ${run.runId}, namespace payments`);
    expect(link).toBe(source.link);
    expect(first).toBe('Failed: StripeCardError: 402 from acquirer, code 05');
  });

  it.each([
    [['locked'], 'Reveal the run in the dashboard to read the messages.'],
    [['refused'], 'To read the messages, you need the permission decode in this namespace.'],
    [['refused', 'locked'], 'Reveal the run in the dashboard to read the messages.'],
    [['waiting'], 'Open the run in the dashboard to read the messages.'],
  ] as const)('contains only types and names if the messages are %s', (locks, how) => {
    const { refs } = explain({ ...source.run, read: allLocked });
    expect(refs.length).toBeGreaterThan(1);
    const lockOf = (ref: PayloadRef) => locks[refs.indexOf(ref) % locks.length];
    const text = ticketText({ ...source, read: allLocked, lockOf });
    expect(text).toContain('StripeCardError (message not decrypted)');
    expect(text).not.toContain('402');
    expect(text).toMatch(/\d payloads of this card are not decrypted\. /);
    expect(text.endsWith(how)).toBe(true);
  });

  it('escapes invisible characters in ids', () => {
    const address = { ...source.address, workflowId: 'a\u202eb' };
    expect(ticketText({ ...source, address, read: allLocked })).toContain(String.raw`a\u202eb`);
  });
});

const group = (id: number, outcome: Outcome, category: Category = 'task') => ({ id, outcome, category });

describe('failedTasksText', () => {
  it.each([
    ['', [group(2, 'ok'), group(5, 'failed', 'activity')]],
    [' 1 workflow task timed out, #2.', [group(2, 'timed-out'), group(7, 'ok')]],
    [' 2 workflow tasks failed, first #2.', [group(2, 'timed-out'), group(7, 'failed')]],
  ])('returns “%s”', (text, groups) => {
    expect(failedTasksText({ groups })).toBe(text);
  });
});

describe('readingOf', () => {
  const run = failedRun(now);
  const ref = explain({ ...whyRun(run), read: allLocked }).refs[0]!;
  const result = run.answer(ref)!;

  it('treats a payload that has not been decrypted as locked', () => {
    for (const status of ['locked', 'refused', 'waiting'] as const)
      expect(readingOf({ status }, undefined)).toEqual({ status: 'locked' });
    expect(
      readingOf({ status: 'failed', message: 'no answer', final: false, forbidden: false }, undefined),
    ).toEqual({ status: 'locked' });
  });

  it('returns the reason why a payload cannot be decrypted', () => {
    const failed = { ref, ok: false, reason: 'key_disabled', message: '' } as const;
    expect(readingOf({ status: 'answered', result: failed }, undefined)).toEqual({
      status: 'unreadable',
      reason: 'key_disabled',
    });
  });

  it('returns a decrypted payload’s value', () => {
    expect(readingOf({ status: 'answered', result }, undefined)).toMatchObject({
      status: 'readable',
      value: { message: expect.any(String) },
    });
  });
});

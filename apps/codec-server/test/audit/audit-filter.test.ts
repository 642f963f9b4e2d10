import { entryLine } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { expect, it } from 'vitest';
import { type AuditFilter, entryFilter } from '../../src/audit/audit-filter.ts';

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  time: '2026-11-24T12:00:00.000Z',
  id: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa',
  event: 'intent',
  operation: 'decode',
  who: { name: 'Ana.King@example.com', subject: 'user-17' },
  namespace: 'payments',
  workflowId: 'order-1',
  justification: 'Ticket PAY-4417, failed capture',
  ...more,
});

/** Returns whether a filter accepts an entry. If so, checks that `mayMatch` accepts the entry's line. */
function accepts(filter: Partial<AuditFilter>, more: Partial<AuditEntry> = {}): boolean {
  const { mayMatch, matches } = entryFilter({ namespace: 'payments', ...filter });
  const matched = matches(entry(more));
  // The search does not parse a line that `mayMatch` rejects.
  if (matched) expect(mayMatch(entryLine(entry(more)))).toBe(true);
  return matched;
}

it('accepts only entries of the given namespace', () => {
  expect(accepts({})).toBe(true);
  expect(accepts({}, { namespace: 'payments-2' })).toBe(false);
  expect(accepts({}, { namespace: 'orders', requestNamespace: 'payments' })).toBe(false);
});

it('accepts entries by part of the caller’s name or subject, in upper or lower case', () => {
  expect(accepts({ who: 'ana.king' })).toBe(true);
  expect(accepts({ who: 'USER-17' })).toBe(true);
  expect(accepts({ who: 'bo' })).toBe(false);
});

it('accepts entries by part of the justification, in upper or lower case, but no entry without a justification', () => {
  expect(accepts({ justification: 'pay-4417' })).toBe(true);
  expect(accepts({ justification: 'pay-4418' })).toBe(false);
  const { justification: _, ...without } = entry();
  expect(entryFilter({ namespace: 'payments', justification: 'a' }).matches(without)).toBe(false);
});

it('accepts only entries with the given operations, workflow and refusals', () => {
  expect(accepts({ operations: ['export', 'decode'] })).toBe(true);
  expect(accepts({ operations: ['export'] })).toBe(false);
  expect(accepts({ workflowId: 'order-1' })).toBe(true);
  expect(accepts({ workflowId: 'order' })).toBe(false);
  expect(accepts({ denied: true })).toBe(false);
  expect(accepts({ denied: true }, { event: 'denied', denied: 'forbidden' })).toBe(true);
});

it('accepts only outcomes with one of the given results', () => {
  const outcome: AuditEntry['outcome'] = { result: 'failed', payloads: 0, keys: [], refused: {} };
  expect(accepts({ results: ['failed', 'cut_off'] }, { event: 'outcome', outcome })).toBe(true);
  expect(accepts({ results: ['complete'] }, { event: 'outcome', outcome })).toBe(false);
  expect(accepts({ results: ['failed'] })).toBe(false);
  expect(accepts({ results: ['failed'] }, { event: 'denied', denied: 'forbidden' })).toBe(false);
});

it('accepts times from `from` (inclusive) to `to` (exclusive) in any time zone', () => {
  expect(accepts({ from: '2026-11-24T12:00:00Z', to: '2026-11-24T12:00:00.001Z' })).toBe(true);
  expect(accepts({ from: '2026-11-24T13:00:00+01:00' })).toBe(true);
  expect(accepts({ from: '2026-11-24T12:00:00.001Z' })).toBe(false);
  expect(accepts({ to: '2026-11-24T12:00:00Z' })).toBe(false);
});

it('stops a search at a line much older than `from`, whatever text the line contains', () => {
  const { isBefore } = entryFilter({ namespace: 'payments', from: '2026-11-24T14:00:00Z' });
  expect(isBefore(entryLine(entry()))).toBe(true);
  // A clock that was set back must not hide entries.
  expect(isBefore(entryLine(entry({ time: '2026-11-24T13:30:00.000Z' })))).toBe(false);
  const later = { time: '2026-11-24T15:00:00.000Z' };
  for (const justification of ['"time":"2020-01-01T00:00:00Z"', '{"severity":"NOTICE","time":"2020-01-01'])
    expect(isBefore(entryLine(entry({ ...later, justification })))).toBe(false);
  expect(isBefore('not a line of the audit')).toBe(false);
  expect(entryFilter({ namespace: 'payments' }).isBefore(entryLine(entry()))).toBe(false);
});

import type { AuditEntry } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { conditionsOf, noText } from '../../src/audit/audit-conditions.ts';
import { auditSearch } from '../../src/audit/audit-params.ts';
import { auditCells, auditRows, resultOf, runOf } from '../../src/audit/audit-rows.ts';
import { csvOf } from '../../src/ui/format/csv.ts';

const ID = '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
const line = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  time: '2026-11-24T12:00:00.000Z',
  id: ID,
  event: 'intent',
  operation: 'decode',
  who: { name: 'ana@example.com' },
  namespace: 'payments',
  workflowId: 'order-1',
  runId: 'run-1',
  ...more,
});
const outcome: AuditEntry['outcome'] = {
  result: 'complete',
  payloads: 3,
  keys: [],
  refused: { key_disabled: 1 },
};
const ended = line({ event: 'outcome', time: '2026-11-24T12:00:01.000Z', outcome });

describe('rows of the audit', () => {
  test('join the lines of an operation, and are sorted by their newest line', () => {
    const other = line({ id: ID.replace('0b6', '1b6') });
    const rows = auditRows([ended, other, line({ event: 'digests', digests: ['a'], part: 2 }), line()]);
    expect(rows.map(({ id }) => id)).toEqual([ID, other.id]);
    expect(rows[0]).toMatchObject({ entry: { event: 'intent' }, outcome, time: Date.parse(ended.time) });
    expect(rows[0]?.lines).toHaveLength(3);
  });

  test('show the outcome even if the filter excludes the intent', () => {
    expect(auditRows([ended])[0]).toMatchObject({ entry: ended, outcome });
  });

  test.each([
    [[line()], 'No outcome', /in progress/],
    [[line({ operation: 'audit' })], 'In progress', /cannot contain the outcome/],
    [[ended, line()], 'Complete, 1 unreadable', /^3 payloads, 1 could not be read$/],
    [[line({ event: 'denied', denied: 'forbidden' })], 'Denied', /policy/],
    [[line({ event: 'denied', denied: 'justification_required', count: 3 })], 'Denied ×3', /3 further/],
  ] as const)('say how the operation ended', (lines, text, detail) => {
    const [row] = auditRows(lines);
    expect(resultOf(row!)).toMatchObject({ text, detail: expect.stringMatching(detail) });
  });
});

describe('an entry’s run', () => {
  test('has an event if all payloads belong to the same event', () => {
    const run = { namespace: 'payments', workflowId: 'order-1', runId: 'run-1' };
    expect(runOf(line())).toEqual(run);
    expect(runOf(line({ refs: ['5:0', '5:1'] }))).toEqual({ ...run, eventId: 5 });
    expect(runOf(line({ refs: ['5:0', '6:0'] }))).toEqual(run);
    expect(runOf(line({ refs: ['0:77'] }))).toEqual(run);
  });

  test('has the request’s namespace, and is missing if the server has not verified the run', () => {
    expect(runOf(line({ requestNamespace: 'orders' }))?.namespace).toBe('orders');
    expect(runOf(line({ source: 'file' }))).toBeUndefined();
    const { workflowId: _, ...without } = line();
    expect(runOf(without)).toBeUndefined();
  });
});

test('CSV has a column for each field, and no cell that a spreadsheet runs as a formula', () => {
  const [names, cells] = auditCells([{ ...ended, justification: '=HYPERLINK("x")', refs: ['5:0', '6:0'] }]);
  const cell = (name: string) => cells?.[names?.indexOf(name) ?? -1];
  expect(cell('refs')).toBe('5:0 6:0');
  expect(cell('payloads')).toBe(3);
  expect(cell('refused')).toBe('key_disabled=1');
  expect(cell('subject')).toBe('');
  expect(csvOf(auditCells([{ ...ended, justification: '=HYPERLINK("x")' }]))).toContain(
    `"'=HYPERLINK(""x"")"`,
  );
});

describe('search conditions', () => {
  const NOW = Date.parse('2026-11-24T12:00:00Z');
  test('come from the address, and from the text that is kept in memory', () => {
    const search = auditSearch.parse({ op: 'export', out: 'failed', wf: 'order-1', last: '24h' });
    expect(conditionsOf({ search, text: { who: ' ana ', justification: '' }, now: NOW })).toEqual({
      operations: ['export'],
      results: ['failed'],
      workflowId: 'order-1',
      from: '2026-11-23T12:00:00.000Z',
      who: 'ana',
    });
    expect(conditionsOf({ search: auditSearch.parse({ out: 'denied' }), text: noText, now: NOW })).toEqual({
      denied: true,
    });
  });

  test('ignore invalid parameters of the address', () => {
    const search = auditSearch.parse({ op: 'reveal', out: 'good', last: '2y', since: 'yesterday', x: 1 });
    expect(conditionsOf({ search, text: noText, now: NOW })).toEqual({});
  });
});

import { type AuditEntry, permission } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAudit, type Intent } from '../src/audit.ts';
import { countDenials } from '../src/open-audit.ts';
import { entryLine } from '../src/lines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;

function counted() {
  const entries: AuditEntry[] = [];
  let failing = false;
  const audit = countDenials(
    createAudit({
      write: async (entry) => {
        if (failing) throw new Error('full');
        entries.push(entry);
      },
    }),
  );
  const deny = (subject: string, namespace: string | undefined, more: Partial<Intent> = {}) =>
    audit.denied(
      {
        operation: 'decode',
        caller: { name: subject, issuer: 'i', subject },
        peer: '10.0.0.7',
        namespace,
        ...more,
      },
      'forbidden',
    );
  return { audit, entries, deny, fail: (value: boolean) => (failing = value) };
}

it("writes a minute's first denial immediately, and the number of further denials when the minute ends", async () => {
  const { entries, deny } = counted();
  for (let n = 0; n < 1_000; n += 1) await deny('ana', 'payments');
  expect(entries).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(entries).toHaveLength(2);
  expect(entries[1]).toMatchObject({ event: 'denied', count: 999, since: entries[0]!.time });
  expect(Date.parse(entries[1]!.time) - Date.parse(entries[0]!.time)).toBe(MINUTE);
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(entries).toHaveLength(2);
  await deny('ana', 'payments');
  expect(entries).toHaveLength(3);
});

it('counts denials separately by caller, operation, namespace and cause', async () => {
  const { audit, entries, deny } = counted();
  await deny('ana', 'payments');
  await deny('ben', 'payments');
  await deny('ana', 'orders');
  await deny('ana', 'orders', { operation: 'search' });
  await audit.denied(
    {
      operation: 'decode',
      caller: { name: 'ana', issuer: 'i', subject: 'ana' },
      peer: undefined,
      namespace: 'orders',
    },
    'justification_required',
  );
  expect(entries).toHaveLength(5);
  await deny('ana', 'orders', { caller: { name: 'ana', issuer: 'other', subject: 'ana' } });
  expect(entries).toHaveLength(6);
});

it('writes at most 42 lines per minute for a caller, whatever namespaces the caller names', async () => {
  const { audit, entries } = counted();
  const caller = { name: 'ana' };
  const denials = [
    ...permission.options.map((operation) => ({ operation, why: 'forbidden' }) as const),
    ...(['decode', 'search', 'export'] as const).map(
      (operation) => ({ operation, why: 'justification_required' }) as const,
    ),
  ];
  for (const minute of ['first', 'second']) {
    for (let n = 0; n < 1_000; n += 1)
      for (const { operation, why } of denials)
        await audit.denied({ operation, caller, peer: undefined, namespace: `namespace-${n >> 1}` }, why);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(entries, minute).toHaveLength(42);
    expect(entries.splice(0).reduce((sum, { count = 1 }) => sum + count, 0)).toBe(10_000);
  }
});

it('limits memory and lines for any number of callers, and counts all callers beyond the limit together', async () => {
  const { entries, deny } = counted();
  for (let n = 0; n < 3_000; n += 1) await deny(`${n}`.padStart(10_000, 'x'), `${n}`.repeat(1_000));
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(entries).toHaveLength(1_025);
  expect(entries.at(-1)).toMatchObject({ who: { name: 'others' }, count: 1_976 });
  expect(entryLine(entries.at(-1)!)).not.toContain('xxx');
});

it('counts a denial in the next minute if its line could not be written', async () => {
  const { audit, entries, deny, fail } = counted();
  fail(true);
  await expect(deny('ana', 'payments')).rejects.toThrow('full');
  await deny('ana', 'payments');
  await audit.flush();
  fail(false);
  await audit.flush();
  expect(entries).toMatchObject([{ who: { subject: 'ana' }, count: 2 }]);
});

it('writes the counts when it is flushed, with all fields of the denial except refs and justification', async () => {
  const { audit, entries, deny } = counted();
  const more = {
    requestNamespace: 'orders',
    workflowId: 'order-1',
    runId: 'run-1',
    source: 'file',
    scheduleId: 'nightly',
    query: 'state',
  } as const;
  for (let n = 0; n < 3; n += 1)
    await deny('ana', 'payments', { ...more, refs: ['1:0'], justification: 'ticket 1' });
  await audit.flush();
  const { refs, justification, ...same } = entries[0]!;
  expect([refs, justification, same]).toMatchObject([['1:0'], 'ticket 1', more]);
  expect(entries.slice(1)).toEqual([{ ...same, id: expect.any(String), count: 2, since: same.time }]);
});

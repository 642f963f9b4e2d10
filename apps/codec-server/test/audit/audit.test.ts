import {
  cloudLoggingQuery,
  type AuditRecord,
  createAudit,
  entryLine,
  type Intent,
  parseEntryLine,
} from '@temporal-kms/audit';
import { type AuditEntry, auditEntry } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { auditedStream } from '../../src/audit/audited-stream.ts';

const intent: Intent = {
  operation: 'decode',
  caller: { name: 'ana@example.com', issuer: 'https://issuer.example', subject: '7' },
  peer: '10.0.0.7',
  namespace: 'payments',
  workflowId: 'order-1',
  runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa',
  refs: ['1:0', '5:1'],
  justification: 'ticket 4711',
};
const NOW = '2026-11-24T20:00:00.000Z';

function kept() {
  const entries: AuditEntry[] = [];
  const audit = createAudit({ write: async (entry) => void entries.push(auditEntry.parse(entry)) }, () =>
    Date.parse(NOW),
  );
  return { audit, entries };
}

it('writes an intent and an outcome under one id, with caller, address, operation, justification and keys', async () => {
  const { audit, entries } = kept();
  const record = await audit.begin(intent);
  const { caller: who, peer: from, ...same } = intent;
  const all = { time: NOW, id: expect.any(String), who, from, ...same };
  expect(entries).toEqual([{ ...all, event: 'intent' }]);
  const key = { name: 'projects/p/locations/l/keyRings/r/cryptoKeys/k', version: 3 };
  record.done(key);
  record.done(key);
  record.done({ ...key, version: 4 });
  record.done();
  record.refused('key_disabled');
  record.refused('key_disabled');
  await record.end('complete');
  await record.end('failed');
  expect(entries).toHaveLength(2);
  expect(entries[1]).toEqual({
    ...all,
    event: 'outcome',
    outcome: {
      result: 'complete',
      payloads: 4,
      keys: [
        { ...key, payloads: 2 },
        { ...key, version: 4, payloads: 1 },
      ],
      refused: { key_disabled: 2 },
    },
  });
  expect(entries[1]!.id).toBe(entries[0]!.id);
});

it('queues only one line at a time for an intent with 10,000 digests', async () => {
  let waiting = 0;
  let most = 0;
  const audit = createAudit({
    write: async () => {
      most = Math.max(most, (waiting += 1));
      await new Promise(setImmediate);
      waiting -= 1;
    },
  });
  await audit.begin({ ...intent, digests: Array.from({ length: 10_000 }, (_, n) => `digest ${n}`) });
  expect(most).toBe(1);
});

it('lists the keys that decrypted a payload, however many other keys the refused messages name', async () => {
  const { audit, entries } = kept();
  const record = await audit.begin(intent);
  for (let version = 1; version <= 40; version += 1) record.refused('key_not_allowed', { key: { version } });
  record.done({ name: 'real', version: 3 }, 500);
  await record.end('complete');
  expect(entries[1]!.outcome!.keys).toContainEqual({ name: 'real', version: 3, payloads: 500 });
});

it('limits the length of a line, whatever the caller sends and however many keys there are', async () => {
  const { audit, entries } = kept();
  const long = '\u0000'.repeat(100_000);
  const record = await audit.begin({
    ...intent,
    caller: { name: long, issuer: long, subject: long },
    workflowId: long,
    justification: long,
    refs: Array.from({ length: 10_000 }, (_, n) => `${n}:0`),
  });
  for (let version = 1; version < 1_000; version += 1) record.done({ name: 'key', version });
  await record.end('complete');
  for (const entry of entries) expect(entryLine(entry).length).toBeLessThan(64 * 1024);
  expect(entries[1]!.outcome!.payloads).toBe(999);
});

it('resolves `settled()` once every started operation has written its outcome or failed to write it', async () => {
  let outcome: PromiseWithResolvers<void> | undefined;
  const audit = createAudit({
    write: ({ event }) =>
      event === 'outcome' ? (outcome = Promise.withResolvers<void>()).promise : Promise.resolve(),
  });
  const record = await audit.begin(intent);
  let settled = false;
  const waiting = audit.settled().then(() => (settled = true));
  const ended = record.end('cut_off');
  await new Promise(setImmediate);
  expect(settled).toBe(false);
  outcome!.reject(new Error('full'));
  await expect(ended).rejects.toThrow('full');
  await waiting;
});

async function* lines(count: number, signal?: AbortSignal) {
  for (let n = 0; n < count; n += 1) {
    if (signal?.aborted) return;
    yield n;
  }
}
const run = async (act: (record: AuditRecord) => Promise<void>) => {
  const { audit, entries } = kept();
  await act(await audit.begin(intent)).catch(() => undefined);
  return [entries.length, entries[1]?.outcome?.result];
};
const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of stream);
};

const broken = (): never => {
  throw new Error('broken');
};

describe('auditedStream', () => {
  it('records `complete` when the consumer takes the last line', async () => {
    const read = await run((record) => drain(auditedStream(record, lines(3), () => undefined)));
    expect(read).toEqual([2, 'complete']);
  });

  it('records `cut_off` when the consumer stops between two lines or during a line', async () => {
    const between = await run(async (record) => {
      const stream = auditedStream(record, lines(3), () => undefined);
      await stream.next();
      await stream.return();
    });
    expect(between).toEqual([2, 'cut_off']);
    const gone = new AbortController();
    const during = await run(async (record) => {
      const cutOff = () => (gone.signal.aborted ? 'cut_off' : undefined);
      await drain(auditedStream(record, lines(9, gone.signal), () => gone.abort(), cutOff));
    });
    expect(during).toEqual([2, 'cut_off']);
  });

  it('records `failed` when the stream throws', async () => {
    const failing = await run((record) => drain(auditedStream(record, lines(3), broken)));
    expect(failing).toEqual([2, 'failed']);
  });

  it('records the outcome that its `count` function returns for a line', async () => {
    const limited = await run((record) =>
      drain(auditedStream(record, lines(3), (_, line) => (line === 2 ? 'signed_out' : undefined))),
    );
    expect(limited).toEqual([2, 'signed_out']);
  });
});

describe('an audit line', () => {
  const entry: AuditEntry = {
    time: NOW,
    id: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa',
    event: 'intent',
    operation: 'decode',
    who: { name: 'ana' },
    namespace: 'payments',
  };

  it('has the form that Cloud Logging reads, with an `insertId` that removes duplicates', () => {
    const { time: _, ...audit } = entry;
    expect(JSON.parse(entryLine(entry))).toEqual({
      severity: 'NOTICE',
      time: NOW,
      message: 'audit: decode intent',
      'logging.googleapis.com/insertId': `${entry.id}.intent`,
      'logging.googleapis.com/labels': { log: 'audit' },
      'logging.googleapis.com/operation': {
        id: entry.id,
        producer: 'temporal-kms/codec-server',
        first: true,
      },
      audit,
    });
    expect(JSON.parse(entryLine({ ...entry, event: 'denied' })).severity).toBe('WARNING');
  });

  const forged = `{"severity":"NOTICE","audit":{"who":{"name":"eve"}}}`;
  it.each([
    ['a line feed', '\n'],
    ['a carriage return', '\r'],
    ['a line separator', '\u2028'],
    ['a paragraph separator', '\u2029'],
    ["ISO 6429's next line", '\u0085'],
    ['a null', '\0'],
    ['an escape', '\u001b[2K'],
    ['a change of direction', '\u202e'],
    ['half a surrogate pair', '\ud800'],
    ['a zero-width space', '\u200b'],
    ['a soft hyphen', '\u00ad'],
    ['a word joiner', '\u2060'],
    ['a Hangul filler', '\u3164'],
    ['a no-break space', '\u00a0'],
    ['a variation selector', '\u{e0100}'],
    ['a tag', '\u{e0041}'],
    ['a private-use character', '\u{f0000}'],
    ['a quotation mark', '"}'],
  ])('cannot be forged with %s, and is parsed to the original text', (_, char) => {
    const justification = `a${char}${forged}${char}b`;
    const line = entryLine({ ...entry, justification, workflowId: justification });
    expect(line.endsWith('\n')).toBe(true);
    // No other common function recognizes as many line separators as Python's splitlines.
    expect(line.slice(0, -1)).toMatch(/^[\u0020-\u007e]*$/);
    expect(parseEntryLine(line.slice(0, -1))).toMatchObject({ justification, workflowId: justification });
  });

  it('is not parsed as an entry if it does not have the form of an entry', () => {
    for (const other of ['', 'text', '{}', '{"audit":{}}', '[]', forged, entryLine(entry).slice(0, 50)])
      expect(parseEntryLine(other)).toBeUndefined();
  });

  it('can be found in Cloud Logging by its namespace, which the query quotes', () => {
    expect(cloudLoggingQuery('a" OR "b', 'w')).toBe(
      'labels.log="audit" AND jsonPayload.audit.namespace="a\\" OR \\"b" AND jsonPayload.audit.workflowId="w"',
    );
  });
});

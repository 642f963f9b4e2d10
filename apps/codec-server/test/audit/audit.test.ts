import {
  cloudLoggingQuery,
  closedLine,
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
  record.done({ ...key, name: 'other' });
  record.done();
  record.refused('key_disabled');
  record.refused('key_disabled', { key: { ...key, version: 5 } });
  await record.end('complete');
  await record.end('failed');
  expect(entries).toHaveLength(2);
  expect(entries[1]).toEqual({
    ...all,
    event: 'outcome',
    outcome: {
      result: 'complete',
      payloads: 5,
      keys: [
        { ...key, payloads: 2 },
        { ...key, version: 4, payloads: 1 },
        { ...key, name: 'other', payloads: 1 },
        { ...key, version: 5, payloads: 0 },
      ],
      refused: { key_disabled: 2 },
    },
  });
  expect(entries[1]!.id).toBe(entries[0]!.id);
});

it('writes a numbered entry for each object, without the refs that the intent names', async () => {
  const { audit, entries } = kept();
  const record = await audit.begin(intent);
  const object = { type: 's3', bucket: 'b', object: 'o' };
  await record.object(object);
  await record.object({ ...object, driver: 'd' });
  const { refs: _, ...same } = entries[0]!;
  expect(entries.slice(1)).toEqual([
    { ...same, event: 'object', object, part: 1 },
    { ...same, event: 'object', object: { ...object, driver: 'd' }, part: 2 },
  ]);
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
  for (const version of [3, 4]) record.done({ name: 'real', version }, 500);
  await record.end('complete');
  expect(entries[1]!.outcome!.keys).toEqual([
    { name: 'real', version: 3, payloads: 500 },
    { name: 'real', version: 4, payloads: 500 },
    ...Array.from({ length: 30 }, (_, n) => ({ version: n + 3, payloads: 0 })),
  ]);
});

it('keeps the first keys that messages name if none of the keys decrypted a payload', async () => {
  const { audit, entries } = kept();
  const record = await audit.begin(intent);
  for (let version = 1; version <= 40; version += 1) record.refused('key_not_allowed', { key: { version } });
  await record.end('complete');
  expect(entries[1]!.outcome!.keys.map(({ version }) => version)).toEqual(
    Array.from({ length: 32 }, (_, n) => n + 1),
  );
});

it('limits the length of a line, whatever the caller sends and however many keys there are', async () => {
  const { audit, entries } = kept();
  const long = '\u0000'.repeat(100_000);
  const record = await audit.begin({
    ...intent,
    caller: { name: long, issuer: long, subject: long },
    workflowId: long,
    justification: 'j'.repeat(1_000),
    refs: Array.from({ length: 10_000 }, (_, n) => `${n}:0`),
  });
  for (let version = 1; version < 1_000; version += 1) record.done({ name: 'key', version });
  await record.end('complete');
  for (const entry of entries) expect(entryLine(entry).length).toBeLessThan(64 * 1024);
  expect(entries[0]).toMatchObject({
    workflowId: `${long.slice(0, 1_000)}…`,
    justification: 'j'.repeat(1_000),
  });
  expect(entries[1]!.outcome!.payloads).toBe(999);
  expect(entries[1]!.outcome!.keys).toHaveLength(32);
});

it('resolves `settled()` once every started operation has written its outcome or failed to write it', async () => {
  let outcome: PromiseWithResolvers<void> | undefined;
  const audit = createAudit({
    write: ({ event }) =>
      event === 'outcome' ? (outcome = Promise.withResolvers<void>()).promise : Promise.resolve(),
  });
  await audit.settled();
  const record = await audit.begin(intent);
  const first = (await audit.begin(intent)).end('complete');
  let settled = false;
  const waiting = audit.settled().then(() => (settled = true));
  outcome!.resolve();
  await first;
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

  it('records the result that its `count` function returns for a line', async () => {
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

  const failed: AuditEntry['outcome'] = { result: 'failed', payloads: 0, keys: [], refused: {} };
  it.each<[Partial<AuditEntry>, string, string, string, object]>([
    [{ event: 'intent' }, 'NOTICE', 'intent', 'intent', { first: true }],
    [{ event: 'digests', part: 2 }, 'NOTICE', 'digests', 'digests.2', {}],
    [{ event: 'outcome', outcome: failed }, 'NOTICE', 'failed', 'outcome', { last: true }],
    [{ event: 'denied' }, 'WARNING', 'denied', 'denied', { first: true, last: true }],
  ])(
    'has the form that Cloud Logging reads, with an `insertId` that removes duplicates: %o',
    (more, severity, what, insertId, place) => {
      const { time: _, ...audit } = { ...entry, ...more };
      expect(JSON.parse(entryLine({ ...entry, ...more }))).toEqual({
        severity,
        time: NOW,
        message: `audit: decode ${what}`,
        'logging.googleapis.com/insertId': `${entry.id}.${insertId}`,
        'logging.googleapis.com/labels': { log: 'audit' },
        'logging.googleapis.com/operation': { id: entry.id, producer: 'temporal-kms/codec-server', ...place },
        audit,
      });
    },
  );

  it('has the same form as other lines if it records that the audit was closed', () => {
    const { time, ...line } = JSON.parse(closedLine('process'));
    expect(line).toEqual({
      severity: 'NOTICE',
      message: 'audit: closed',
      'logging.googleapis.com/insertId': `process.closed.${time}`,
      'logging.googleapis.com/labels': { log: 'audit' },
      auditFile: { event: 'closed' },
    });
  });

  it('is parsed with the chain link at its end, but without a link inside the entry', () => {
    const link = { instance: '1'.repeat(16), seq: 7, prev: '0'.repeat(64) };
    const line = entryLine({ ...entry, chain: link });
    expect(parseEntryLine(line.slice(0, -1))).toEqual(entry);
    const linked = `${entryLine(entry).slice(0, -2)},"chain":${JSON.stringify(link)}}`;
    expect(parseEntryLine(linked)).toEqual({ ...entry, chain: link });
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

  it('is not parsed if it does not have the form of an entry', () => {
    for (const other of ['', 'text', '{}', '{"audit":{}}', '[]', forged, entryLine(entry).slice(0, 50)])
      expect(parseEntryLine(other)).toBeUndefined();
  });

  it('can be found in Cloud Logging with a query that quotes and escapes the namespace', () => {
    expect(cloudLoggingQuery('a', undefined)).toBe('labels.log="audit" AND jsonPayload.audit.namespace="a"');
    expect(cloudLoggingQuery('a" OR "b', 'w')).toBe(
      'labels.log="audit" AND jsonPayload.audit.namespace="a\\" OR \\"b" AND jsonPayload.audit.workflowId="w"',
    );
  });
});

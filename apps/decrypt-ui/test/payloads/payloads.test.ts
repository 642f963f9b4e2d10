import { payloadRefOf, type PayloadStub, reasonClass, reasonCode, reasons } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { maskWidth } from '../../src/payloads/mask.tsx';
import { addStub, keyBadges, keyUsage, rowBadges, type StubTally } from '../../src/payloads/payload-keys.ts';
import { explain, remedy } from '../../src/payloads/explain-reason.ts';
import { reasonText } from '../../src/payloads/reasons.ts';
import { hexLine } from '../../src/payloads/value/hex.ts';
import { jsonInline, type Line } from '../../src/payloads/value/json-text.ts';
import { jsonRows, rowTokens } from '../../src/payloads/value/json-tree.ts';
import { payloadLabel } from '../../src/payloads/value/payload-label.ts';
import { copyText, payloadValue } from '../../src/payloads/value/payload-value.ts';
import { encrypted, FixturePayload, plain } from '../fixtures/payloads.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const payload = (encoding: string, data: string, more: Record<string, string> = {}) => ({
  metadata: Object.fromEntries(
    Object.entries({ encoding, ...more }).map(([name, value]) => [name, base64(value)]),
  ),
  data: base64(data),
});
const jsonLines = (value: unknown) => jsonRows(value).map(rowTokens);
const text = (lines: readonly Line[]) =>
  lines.map((line) => line.map((token) => token.text).join('')).join('\n');

describe('payload interpretation', () => {
  test('keeps every digit of the numbers in JSON', () => {
    const value = payloadValue(payload('json/plain', '{"id":9007199254740993,"rate":1.10}'));
    expect(value.kind).toBe('json');
    expect(text(jsonLines(value.kind === 'json' && value.value))).toBe(
      '{\n  id: 9007199254740993,\n  rate: 1.10\n}',
    );
    expect(copyText(value)).toBe('{"id":9007199254740993,"rate":1.10}');
    const exact = payloadValue(payload('json/plain', '[1.0, 1e400, -0, 12345678901234567890123]'));
    expect(text(jsonLines(exact.kind === 'json' && exact.value))).toBe(
      '[\n  1.0,\n  1e400,\n  -0,\n  12345678901234567890123\n]',
    );
  });

  test('shows invalid JSON as text, and invalid UTF-8 as bytes', () => {
    expect(payloadValue(payload('json/plain', '{oops'))).toMatchObject({ kind: 'text', text: '{oops' });
    const broken = {
      metadata: { encoding: base64('json/plain') },
      data: Buffer.from([0xff, 0xfe]).toString('base64'),
    };
    expect(payloadValue(broken).kind).toBe('bytes');
  });

  test('shows binary/plain as text if it is readable text, else as bytes', () => {
    expect(payloadValue(payload('binary/plain', 'just words'))).toMatchObject({
      kind: 'text',
      text: 'just words',
    });
    expect(payloadValue(payload('binary/plain', 'a\u0000b')).kind).toBe('bytes');
    expect(payloadValue(payload('binary/plain', '%PDF-1.4 1 0 obj')).kind).toBe('bytes');
  });

  test('treats a payload as empty if its encoding is binary/null, or if it has neither metadata nor data', () => {
    expect(payloadValue(payload('binary/null', ''))).toEqual({ kind: 'empty' });
    expect(payloadValue({ metadata: {}, data: '' })).toEqual({ kind: 'empty' });
  });

  test('names the message type of a protobuf payload', () => {
    const named = { messageType: 'acme.Order' };
    expect(payloadValue(payload('json/protobuf', '{"id":"1"}', named))).toMatchObject({
      kind: 'json',
      messageType: 'acme.Order',
    });
    expect(payloadValue(payload('binary/protobuf', '\n\u0001x', named))).toMatchObject({
      kind: 'bytes',
      messageType: 'acme.Order',
    });
  });

  test('shows bytes as a hex dump with 16 bytes per line', () => {
    expect(
      hexLine(
        Uint8Array.from({ length: 20 }, (_, index) => 60 + index),
        1,
      ),
    ).toEqual({ offset: '0010', hex: '4c 4d 4e 4f  ', ascii: 'LMNO' });
  });

  test('shows 8 bytes per line where there is no room for 16', () => {
    const bytes = Uint8Array.from({ length: 20 }, (_, index) => 60 + index);
    expect(hexLine(bytes, 1, 8)).toEqual({
      offset: '0008',
      hex: '44 45 46 47  48 49 4a 4b',
      ascii: 'DEFGHIJK',
    });
  });
});

describe('formatted JSON', () => {
  test('puts a short object on one line, omits needless quotes, and spreads the outermost object over several lines', () => {
    const value = {
      orderId: '88213',
      amount: { minor: 12890, currency: 'EUR' },
      'a b': [1, 2],
      none: {},
      list: [],
    };
    expect(text(jsonLines(value))).toBe(
      [
        '{',
        '  orderId: "88213",',
        '  amount: { minor: 12890, currency: "EUR" },',
        '  "a b": [1, 2],',
        '  none: {},',
        '  list: []',
        '}',
      ].join('\n'),
    );
  });

  test('opens an object that does not fit on one line', () => {
    expect(text(jsonLines({ customer: { name: 'Maren Vogel', email: 'maren.vogel@mail.example' } }))).toBe(
      '{\n  customer: {\n    name: "Maren Vogel",\n    email: "maren.vogel@mail.example"\n  }\n}',
    );
  });

  test('truncates a value for a row without formatting the rest', () => {
    const long = { text: 'x'.repeat(5_000_000) };
    const start = performance.now();
    const line = text([jsonInline(long, 40)]);
    expect(line.length).toBeLessThan(45);
    expect(line.endsWith('…')).toBe(true);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('handles a value that is nested deeper than the call stack allows', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 5000; level += 1) deep = [deep];
    expect(jsonLines(deep).length).toBeGreaterThan(1);
    expect(text([jsonInline(deep, 100)]).length).toBeLessThan(120);
  });
});

test('names a payload by its path', () => {
  const labels = [
    ['input.payloads[0]', 'Input 0'],
    ['acceptedRequest.input.args.payloads[1]', 'Input 1'],
    ['result.payloads[0]', 'Result'],
    ['outcome.success.payloads[0]', 'Result'],
    ['details.data.payloads[0]', 'Details data'],
    ['details["patch-data"].payloads[0]', 'Details patch-data'],
    ['header.fields["trace.id"]', 'Header trace.id'],
    ['userMetadata.summary', 'Summary'],
    ['workflowExecutionInfo.memo.fields.customer', 'Memo customer'],
    ['failure.encodedAttributes', 'Failure'],
    ['failure.cause.cause.encodedAttributes', 'Failure, cause 2'],
    ['failure.applicationFailureInfo.details.payloads[0]', 'Failure, details'],
    ['lastFailure.encodedAttributes', 'Last failure'],
  ];
  for (const [path, label] of labels) expect(payloadLabel(path!), path).toBe(label);
});

describe('reason codes', () => {
  const context = {
    namespace: 'payments-prod',
    workflowId: 'order-1',
    key: { name: 'projects/p/locations/l/keyRings/r/cryptoKeys/kyc', version: 3 },
    encoding: 'binary/envelope-kms-v2',
  };

  test('all have a title, a kind, an explanation, and a colour that fits their class', () => {
    for (const code of reasonCode.options) {
      const { title, kind, tone } = reasonText(code);
      expect(title.length, code).toBeGreaterThan(3);
      expect(kind.length, code).toBeGreaterThan(3);
      expect(explain(code, context).endsWith('.'), code).toBe(true);
      const restorable = reasonClass(code) === 'restorable';
      if (restorable) expect(tone, code).toBe('pending');
      if (tone === 'failed') expect(reasonClass(code), code).toBe('permanent');
    }
  });

  test('name the key and its version in the explanation', () => {
    const named = reasonCode.options.filter((code) => explain(code, context).startsWith('kyc v3 is '));
    expect(named).toEqual(reasonCode.options.filter((code) => reasons[code].refused === 'version'));
    expect(explain('namespace_not_permitted', { ...context, otherNamespace: 'cards' })).toContain('cards');
    expect(explain('key_disabled', { ...context, key: undefined })).toContain('The key');
  });

  test('name the stored object, not the encoding of the reference, as the cause of malformed content', () => {
    const stored = { driver: 'd', type: 's3', bucket: 'b', object: 'o', readable: true } as const;
    const encoding = 'json/protobuf';
    expect(explain('malformed', { ...context, encoding })).toContain(encoding);
    expect(explain('malformed', { ...context, encoding, stored })).not.toContain(encoding);
  });

  test('name both causes of a reference that the server does not read: the storage file and the driver', () => {
    expect(explain('external_reference', context)).toMatch(/does not read.*storage file.*only the driver/);
  });

  test('come with the gcloud command that restores the key, if a command can restore it', () => {
    expect(remedy('key_disabled', context.key)).toBe(
      'gcloud kms keys versions enable 3 --key=kyc --keyring=r --location=l --project=p',
    );
    expect(remedy('key_destroy_scheduled', context.key)).toContain('versions restore 3');
    expect(remedy('key_destroyed', context.key)).toBeUndefined();
    expect(remedy('key_disabled', { name: 'x; rm -rf /', version: 3 })).toBeUndefined();
  });
});

const stub = (item: FixturePayload, n = 0) => item.stub(`1:${n}`, `input.payloads[${n}]`);

describe('key versions', () => {
  const none = new Map();

  test('are shown in a row, with the versions of unreadable payloads in a separate badge', () => {
    const stubs = [
      stub(encrypted(1, { version: 7 }), 0),
      stub(encrypted(1, { version: 6 }), 1),
      stub(encrypted(1, { key: 'kyc', version: 3, reason: 'key_disabled', early: true }), 2),
    ];
    expect(keyBadges(stubs, none).map(({ label, tone }) => [label, tone])).toEqual([
      ['v6 v7', 'crypto'],
      ['v3', 'bad'],
    ]);
    expect(keyBadges(stubs, none, true)[1]!.label).toBe('v3 disabled');
  });

  test('are shown with the reason that decoding found, if the stub contains no reason', () => {
    const decoded = stub(encrypted(1, { version: 7 }));
    const found = new Map([[payloadRefOf(1, 0), { reason: 'key_destroyed' as const }]]);
    expect(keyBadges([decoded], found)[0]).toMatchObject({ label: 'v7', tone: 'dead' });
  });

  test('are unknown for a payload format that does not record the key version', () => {
    expect(keyBadges([stub(encrypted(1, { format: 'direct' }))], none)[0]!.label).toBe('v?');
    expect(keyBadges([stub(encrypted(1, { format: 'static' }))], none)[0]!.label).toBe('static');
  });

  test('are counted for a run, in the order of their use, with the number of unreadable payloads', () => {
    const stubs = [7, 7, 7, 6].map((version, n) => stub(encrypted(1, { version }), n));
    const bad = stub(encrypted(1, { version: 3, reason: 'key_disabled', early: true }), 9);
    const tallies = new Map<string, StubTally>();
    for (const counted of [...stubs, bad]) addStub(tallies, counted, 1);
    const byRef = (ref: string) => [...stubs, bad].find((counted) => counted.ref === ref);
    const usage = keyUsage([...tallies.values()], none, byRef);
    expect(usage.shares.map(({ label, count }) => [label, count])).toEqual([
      ['v7', 3],
      ['v6', 1],
      ['v3', 1],
    ]);
    expect(usage).toMatchObject({ encrypted: 5, unreadable: 1, keys: 3 });
    const lost = new Map([[payloadRefOf(1, 0), { reason: 'key_destroyed' as const }]]);
    expect(keyUsage([...tallies.values()], lost, byRef)).toMatchObject({ encrypted: 5, unreadable: 2 });
  });
});

const labels = (run: readonly PayloadStub[], row: readonly PayloadStub[]) => {
  const tallies = new Map<string, StubTally>();
  for (const counted of run) addStub(tallies, counted, 1);
  const usage = keyUsage([...tallies.values()], new Map(), () => undefined);
  return rowBadges(row, new Map(), usage).map(({ label, tone }) => `${label} ${tone}`);
};

describe('a row’s key', () => {
  const payments = stub(encrypted(1, { version: 1 }), 0);
  const kyc = stub(encrypted(1, { key: 'kyc', version: 1 }), 1);
  const disabled = stub(encrypted(1, { version: 1, reason: 'key_disabled', early: true }), 2);
  const leaked = stub(plain(1, { warning: 'not_encrypted' }), 3);
  test.each([
    ['is left out if the run has only one', [payments, payments], [payments], []],
    ['is shown if another key has the same version', [payments, kyc], [payments], ['v1 crypto']],
    ['is shown if it cannot decrypt', [payments, disabled], [disabled], ['v1 bad']],
    ['is shown with what is not encrypted', [payments, kyc], [payments, leaked], ['v1 crypto', 'plain none']],
  ])('%s', (_, run, row, shown) => {
    expect(labels(run, row)).toEqual(shown);
  });
});

test('a mask has one of four widths, never the exact size', () => {
  expect([0, 16, 17, 128, 129, 512, 513, 1e9].map(maskWidth)).toEqual([16, 16, 32, 32, 56, 56, 88, 88]);
});

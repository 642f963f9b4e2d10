import { describe, expect, test } from 'vitest';
import {
  apiError,
  decodeRequest,
  decodeResult,
  historyFrame,
  MAX_REFS,
  payloadPlaceholder,
  partsOfRef,
  payloadRef,
  payloadRefOf,
  reasonClass,
  reasonCode,
  workflowCount,
} from '../src/index.ts';

describe('payloadRef', () => {
  test.each(['1:0', '51200:12', '0:281474976710655', '9223372036854775807:0'])('accepts %s', (ref) => {
    expect(payloadRef.parse(ref)).toBe(ref);
  });

  test('returns a PayloadRef, the only type that partsOfRef accepts', () => {
    const { eventId, n } = partsOfRef(payloadRef.parse('0:281474976710655'));
    expect(payloadRefOf(eventId, n)).toBe('0:281474976710655');
    // @ts-expect-error -- an arbitrary string, for example an event id or a run id
    expect(partsOfRef('5')).toMatchObject({ eventId: 5 });
  });

  test.each([
    '',
    '1',
    ':1',
    '1:',
    '-1:0',
    '1:-1',
    '01:0',
    '1:00',
    '1:0:0',
    '1.0:0',
    '1:0\n',
    ' 1:0',
    '1:1e3',
    'a:b',
  ])('rejects %j', (ref) => {
    expect(payloadRef.safeParse(ref).success).toBe(false);
  });
});

describe('payloadPlaceholder', () => {
  test('rejects an object with other fields, so that data is not mistaken for a placeholder', () => {
    expect(payloadPlaceholder.safeParse({ $payload: '1:0' }).success).toBe(true);
    expect(payloadPlaceholder.safeParse({ $payload: '1:0', more: 1 }).success).toBe(false);
    expect(payloadPlaceholder.safeParse({ $payload: 'secret' }).success).toBe(false);
  });
});

describe('decodeRequest', () => {
  test('accepts 1 to 200 refs and no other field', () => {
    const refs = Array.from({ length: MAX_REFS }, (_, n) => `1:${n}`);
    expect(decodeRequest.safeParse({ refs }).success).toBe(true);
    expect(decodeRequest.safeParse({ refs: [...refs, '2:0'] }).success).toBe(false);
    expect(decodeRequest.safeParse({ refs: [] }).success).toBe(false);
    expect(decodeRequest.safeParse({ refs, pageToken: 'x' }).success).toBe(false);
  });
});

describe('decodeResult', () => {
  test('contains either a payload or a reason code, never both', () => {
    const payload = { metadata: {}, data: '' };
    expect(decodeResult.parse({ ref: '1:0', ok: true, payload })).toEqual({ ref: '1:0', ok: true, payload });
    expect(decodeResult.safeParse({ ref: '1:0', ok: true }).success).toBe(false);
    expect(decodeResult.safeParse({ ref: '1:0', ok: false, message: '' }).success).toBe(false);
    const refused = decodeResult.parse({
      ref: '1:0',
      ok: false,
      reason: 'key_disabled',
      message: 'm',
      payload,
    });
    expect(refused).not.toHaveProperty('payload');
  });

  test('rejects an unknown reason code', () => {
    const result = { ref: '1:0', ok: false, reason: 'because', message: '' };
    expect(decodeResult.safeParse(result).success).toBe(false);
  });
});

test('reasonClass returns a class for every reason code', () => {
  const known = new Set(['retryable', 'restorable', 'permanent', 'information']);
  expect(reasonCode.options.filter((code) => !known.has(reasonClass(code)))).toEqual([]);
});

test('historyFrame requires an end frame to contain a known reason and the id of the last sent event', () => {
  expect(historyFrame.safeParse({ type: 'end', reason: 'shutdown', after: 0 }).success).toBe(true);
  expect(historyFrame.safeParse({ type: 'end', reason: 'complete' }).success).toBe(false);
  expect(historyFrame.safeParse({ type: 'end', reason: 'tired', after: 1 }).success).toBe(false);
});

test('workflowCount accepts counts that leave out statuses without runs', () => {
  expect(workflowCount.parse({ total: 1, byStatus: { Failed: 1 } })).toEqual({
    total: 1,
    byStatus: { Failed: 1 },
  });
});

test('apiError requires a known code and a message', () => {
  expect(apiError.safeParse({ error: { code: 'not_found', message: 'm' } }).success).toBe(true);
  expect(apiError.safeParse({ error: { code: 'teapot', message: 'm' } }).success).toBe(false);
});

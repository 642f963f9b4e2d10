import { expect, test } from 'vitest';
import type { Reveal } from '@temporal-kms/codec-api';
import { reasonFor } from '../../src/http/reason.ts';

const opens = (reveal: Reveal) => ({ reveal: () => reveal });

test('asks nobody for a reason where payloads open automatically, and keeps one that is given', () => {
  expect(reasonFor(opens('automatic'), 'payments', undefined)).toBeUndefined();
  expect(reasonFor(opens('automatic'), 'payments', 'ticket 4711')).toBe('ticket 4711');
});

test('refuses without a reason where payloads open on demand, and says how to give one', () => {
  expect(() => reasonFor(opens('on-demand'), 'payments', undefined)).toThrow(
    expect.objectContaining({
      status: 403,
      code: 'reason_required',
      message: expect.stringMatching(/"payments".*X-Reveal-Reason/),
    }),
  );
  expect(reasonFor(opens('on-demand'), 'payments', ' ticket 4711\n')).toBe('ticket 4711');
});

test.each([
  ['empty', ''],
  ['blank', ' \t '],
  ['invisible', '\u200b\u2060\u3164\u{e0041}'],
  ['a combining mark alone', '\u0301'],
  ['longer than 500 characters', 'x'.repeat(501)],
])('refuses a reason that is %s', (_, reason) => {
  for (const reveal of ['automatic', 'on-demand'] as const) {
    expect(() => reasonFor(opens(reveal), 'payments', reason)).toThrow(
      expect.objectContaining({
        status: 400,
        code: 'bad_request',
        message: expect.stringMatching(/^reason /),
      }),
    );
  }
});

test('takes 500 characters', () => {
  expect(reasonFor(opens('on-demand'), 'payments', 'x'.repeat(500))).toHaveLength(500);
});

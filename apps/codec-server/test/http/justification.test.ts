import { expect, it } from 'vitest';
import type { Reveal } from '@temporal-kms/codec-api';
import { justificationFor } from '../../src/http/authorise.ts';

const opens = (reveal: Reveal) => ({ reveal: () => reveal });

it('requires no justification where a namespace reveals automatically, but records one that is sent', () => {
  expect(justificationFor(opens('automatic'), 'payments', undefined)).toBeUndefined();
  expect(justificationFor(opens('automatic'), 'payments', 'ticket 4711')).toBe('ticket 4711');
});

it('rejects a missing justification where a namespace reveals on demand, and explains how to send one', () => {
  expect(() => justificationFor(opens('on-demand'), 'payments', undefined)).toThrow(
    expect.objectContaining({
      status: 403,
      code: 'justification_required',
      message: expect.stringMatching(/"payments".*X-Reveal-Justification/),
    }),
  );
  expect(justificationFor(opens('on-demand'), 'payments', ' ticket 4711\n')).toBe('ticket 4711');
});

it.each([
  ['empty', ''],
  ['blank', ' \t '],
  ['invisible', '\u200b\u2060\u3164\u{e0041}'],
  ['a combining mark alone', '\u0301'],
  ['longer than 500 characters', 'x'.repeat(501)],
])('rejects a justification that is %s', (_, given) => {
  for (const reveal of ['automatic', 'on-demand'] as const) {
    expect(() => justificationFor(opens(reveal), 'payments', given)).toThrow(
      expect.objectContaining({
        status: 400,
        code: 'bad_request',
        message: expect.stringMatching(/^justification /),
      }),
    );
  }
});

it('accepts 500 characters', () => {
  expect(justificationFor(opens('on-demand'), 'payments', 'x'.repeat(500))).toHaveLength(500);
});

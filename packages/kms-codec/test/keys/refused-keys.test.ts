import { describe, expect, it } from 'vitest';
import { wrappedKey } from '../../src/crypto/wrapped-key.ts';
import { KmsCodecError } from '../../src/errors.ts';
import { RefusedKeys } from '../../src/keys/refused-keys.ts';
import { cryptoKey } from '../support/codec.ts';
import { settle } from '../support/fleet.ts';
import { collectUnhandled } from '../support/unhandled.ts';

const second = 1_000;
const keyOf = (byte: number, name = 'pay') =>
  wrappedKey({
    cryptoKey: cryptoKey(name),
    aad: new Uint8Array(),
    wrapped: Uint8Array.of(byte),
    keyVersion: 1,
    isBranchKey: true,
  });
const key = keyOf(1);

/** Returns refused keys, and the attempts to unwrap them. `answer` simulates Cloud KMS. */
function refusedKeys(answer: () => Promise<unknown> = () => new Promise(() => undefined)) {
  const clock = { time: 1_000_000 };
  const attempts: string[] = [];
  const unwrap = (namespace: string) => {
    attempts.push(namespace);
    return answer();
  };
  const refused = new RefusedKeys(10, unwrap, () => clock.time);
  /** Advances the clock. @returns the number of attempts at that time */
  const pass = async (milliseconds: number) => {
    clock.time += milliseconds;
    attempts.length = 0;
    refused.askAgain();
    await settle(2);
    return attempts.length;
  };
  return { refused, pass, attempts };
}

/** Simulates a Cloud KMS that rejects each call. */
const rejecting = (error: Error) => async () => {
  throw error;
};
const denied = new KmsCodecError('permission_denied', 'denied');

describe('a refused key', () => {
  it('is remembered, with its namespace, reason and last confirmation, until Cloud KMS accepts it or it is replaced', () => {
    const { refused } = refusedKeys();
    const others = [keyOf(2), keyOf(3)];
    for (const [n, each] of [key, ...others].entries()) refused.add('pay', each, 'key_disabled', n);
    expect(refused.find(keyOf(2))).toMatchObject({ namespace: 'pay', wrappedKey: others[0] });
    expect([refused.codeOf(keyOf(2)), refused.graceUntil(keyOf(2))]).toEqual(['key_disabled', 1]);
    expect([refused.codeOf(keyOf(4)), refused.graceUntil(keyOf(4))]).toEqual([undefined, 0]);
    refused.accept(key);
    refused.delete(others[0]!);
    const codes = () => [key, ...others].map((each) => refused.codeOf(each));
    expect(codes()).toEqual([undefined, undefined, 'key_disabled']);
    refused.clear();
    expect(codes()).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ['every 10 s', 'key_disabled', 10],
    ['every 4 min if this identity may only encrypt', 'permission_denied', 240],
  ] as const)('is unwrapped again 10 s after the refusal and then %s', async (_, code, interval) => {
    const { refused, pass, attempts } = refusedKeys(rejecting(new KmsCodecError(code, 'refused')));
    refused.add('pay', key, code);
    expect([await pass(10 * second - 1), await pass(1)]).toEqual([0, 1]);
    expect(attempts).toEqual(['pay']);
    expect([await pass(interval * second - 1), await pass(1)]).toEqual([0, 1]);
  });

  it('is unwrapped by one attempt at a time', async () => {
    const { refused, pass } = refusedKeys();
    refused.add('pay', key, 'key_disabled');
    expect([await pass(10 * second), await pass(20 * second)]).toEqual([1, 0]);
  });

  it.each([
    ['refuses it for another reason', denied, 'permission_denied'],
    ['does not respond', new KmsCodecError('kms_unavailable', 'gone'), 'key_disabled'],
  ])('has the reason of the last refusal after Cloud KMS %s', async (_, error, code) => {
    const { refused, pass } = refusedKeys(rejecting(error));
    refused.add('pay', key, 'key_disabled');
    await pass(10 * second);
    expect(refused.codeOf(key)).toBe(code);
  });

  it('lets an unexpected error through, and is unwrapped again afterwards', async () => {
    const unhandled = collectUnhandled();
    const { refused, pass } = refusedKeys(rejecting(new TypeError('bug')));
    refused.add('pay', key, 'key_disabled');
    expect([await pass(10 * second), await pass(10 * second)]).toEqual([1, 1]);
    expect(unhandled).toHaveLength(2);
  });
});

it('an identity may only encrypt if it lacks the permission to unwrap and has never had it for this crypto key', () => {
  const { refused } = refusedKeys();
  const [other, disabled] = [keyOf(1, 'other'), keyOf(2)];
  refused.add('pay', key, 'permission_denied');
  refused.add('pay', other, 'permission_denied');
  refused.add('pay', disabled, 'key_disabled');
  const mayOnlyEncrypt = () => [key, other, disabled].map((each) => refused.isOfEncrypter(each));
  expect(mayOnlyEncrypt()).toEqual([true, true, false]);
  refused.accept(keyOf(3));
  expect(mayOnlyEncrypt()).toEqual([false, true, false]);
});

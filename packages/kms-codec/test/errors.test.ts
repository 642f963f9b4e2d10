import { ApplicationFailure } from '@temporalio/common';
import { expect, it } from 'vitest';
import { KmsCodecError, reasonClass, reasonCodes } from '../src/index.ts';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';

it.each(reasonCodes)(
  '%s is non-retryable in Temporal if it is permanent, whatever the worker changes',
  (code) => {
    const permanent = reasonClass(code) === 'permanent';
    const error = new KmsCodecError(code, 'why');
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: `KmsCodecError:${code}`, nonRetryable: permanent });
    // Temporal's worker does this to every error from decoding an activity's input.
    const failure = ApplicationFailure.fromError(error, { message: 'Failed to parse', nonRetryable: false });
    expect(failure).toMatchObject({ message: 'Failed to parse', nonRetryable: permanent });
  },
);

it('gives each caller a separate error object', async () => {
  const { codec, keyService } = codecWith({ a: { encrypt: cryptoKey('a') } });
  const encrypted = await codec.encode([json('here')], inNamespace('a'));
  const reader = codecWith({ a: { encrypt: cryptoKey('a') } }, { keyService }).codec;
  keyService.failing = 'key_disabled';
  const refusal = () => reader.decode(encrypted, inNamespace('a')).catch((error: unknown) => error);
  const [first, joined] = await Promise.all([refusal(), refusal()]);
  Object.assign(Object(first), { message: 'overwritten' });
  for (const other of [joined, await refusal()]) {
    expect(other).toMatchObject({ code: 'key_disabled', key: cryptoKey('a'), message: 'failed on demand' });
  }
});

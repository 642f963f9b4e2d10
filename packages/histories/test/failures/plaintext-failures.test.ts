import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { plaintextFailures } from '../../src/failures/index.ts';

const leaked = { message: 'Card 4111 was declined', source: 'TypeScriptSDK' };
const encrypted = { ...leaked, message: 'Encoded failure', encodedAttributes: { $payload: '9:0' } };

describe('plaintextFailures', () => {
  it.each([
    ['a failure with a message', { failure: leaked }, 1],
    ['a failure with a stack trace only', { failure: { stackTrace: 'at f', source: 'GoSDK' } }, 1],
    ['a cause inside an encrypted failure', { failure: { ...encrypted, cause: leaked } }, 1],
    ['a failure and its cause, in a list', [{ outcome: { failure: { ...leaked, cause: leaked } } }], 2],
    ['the last failure of a pending activity', { pendingActivities: [{ lastFailure: leaked }] }, 1],
    ['an encrypted failure', { failure: encrypted }, 0],
    ['a failure without a message', { failure: { source: 'TypeScriptSDK' } }, 0],
    ['a failure of the server', { failure: { message: 'activity timeout', source: 'Server' } }, 0],
    ['no failure', { input: { payloads: [{ $payload: '1:0' }] }, header: null }, 0],
  ])('counts %s', (_what, value, count) => {
    expect(plaintextFailures(value)).toBe(count);
  });

  it('counts failures in a protobuf message, in which unset strings are empty', () => {
    const { Failure } = proto.temporal.api.failure.v1;
    const read = (failure: object) => Failure.decode(Failure.encode(Failure.create(failure)).finish());
    expect(plaintextFailures(read({ ...leaked, cause: { source: 'TypeScriptSDK' } }))).toBe(1);
    expect(plaintextFailures(read({ ...leaked, encodedAttributes: {} }))).toBe(0);
  });
});

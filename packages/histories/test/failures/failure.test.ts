import { decodedAttributes, failureChain, headline } from '../../src/failures/index.ts';
import { describe, expect, test } from 'vitest';

const root = {
  message: 'boom',
  stackTrace: 'Error: boom\n    at f (/a.ts:1:2)\n',
  applicationFailureInfo: { type: 'Boom', nonRetryable: true },
};
const wrapped = {
  message: 'Activity task failed',
  cause: {
    message: 'Encoded failure',
    encodedAttributes: { $payload: '9:0' },
    cause: root,
    timeoutFailureInfo: {
      timeoutType: 'TIMEOUT_TYPE_HEARTBEAT',
      lastHeartbeatDetails: { payloads: [{ $payload: '9:1' }] },
    },
  },
  activityFailureInfo: { activityType: { name: 'charge' }, retryState: 'RETRY_STATE_TIMEOUT' },
};

describe('failureChain', () => {
  test('lists the outermost failure first, each with its kind and message', () => {
    expect(failureChain(wrapped).map(({ kind, details, message }) => [kind, details, message])).toEqual([
      ['ActivityFailure', ['charge', 'timeout'], 'Activity task failed'],
      ['TimeoutFailure', ['heartbeat'], 'Encoded failure'],
      ['ApplicationFailure', ['Boom'], 'boom'],
    ]);
  });

  test('returns the refs of encrypted messages and details', () => {
    const [, timeout, last] = failureChain(wrapped);
    expect(timeout!.encoded).toBe('9:0');
    expect(timeout!.payloads).toEqual(['9:1']);
    expect(last!.encoded).toBeUndefined();
    expect(last!.nonRetryable).toBe(true);
  });

  test('uses the first level that is not a wrapper as the headline', () => {
    expect(headline(failureChain(wrapped))!.kind).toBe('TimeoutFailure');
    expect(headline(failureChain({ message: 'x', activityFailureInfo: {} }))!.message).toBe('x');
    expect(headline(failureChain(undefined))).toBeUndefined();
  });

  test('truncates an endless chain', () => {
    const endless: Record<string, unknown> = { message: 'again' };
    endless['cause'] = endless;
    expect(failureChain(endless)).toHaveLength(64);
  });
});

test('reads decoded attributes only in the form that the SDKs write', () => {
  expect(decodedAttributes({ message: 'm', stack_trace: 's' })).toEqual({ message: 'm', stackTrace: 's' });
  expect(decodedAttributes({ message: 'm' })).toEqual({ message: 'm', stackTrace: '' });
  expect(decodedAttributes({ other: 1 })).toBeUndefined();
  expect(decodedAttributes('text')).toBeUndefined();
});

import { ApplicationFailure, defaultPayloadConverter, type ProtoFailure } from '@temporalio/common';
import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { failureConverter } from '../src/failure-converter.ts';
import { KmsCodecError } from '../src/index.ts';

const toFailure = (error: unknown): ProtoFailure =>
  failureConverter.errorToFailure(error, defaultPayloadConverter);

const handlerError = (cause: Error) => new HandlerError('INTERNAL', 'The handler failed', { cause });

describe('the failure converter with a Nexus handler’s failure', () => {
  it('leaves a failure readable, without stack traces, if the codec caused the failure', () => {
    const network = new Error('UNAVAILABLE');
    const failure = toFailure(
      handlerError(new KmsCodecError('kms_unavailable', 'Cloud KMS unavailable', { cause: network })),
    );
    expect(failure).toMatchObject({
      message: 'The handler failed',
      stackTrace: '',
      cause: {
        message: 'Cloud KMS unavailable',
        stackTrace: '',
        applicationFailureInfo: { type: 'KmsCodecError:kms_unavailable' },
        cause: { message: 'UNAVAILABLE', stackTrace: '' },
      },
    });
    expect(JSON.stringify(failure)).not.toContain('encodedAttributes');
  });

  it.each([
    ['an error of the application', new Error('card 4111')],
    ['a failure of another type', ApplicationFailure.create({ message: 'card 4111', type: 'Refused' })],
    [
      'a failure with details',
      ApplicationFailure.create({
        message: 'card 4111',
        type: 'KmsCodecError:malformed',
        details: ['card 4111'],
      }),
    ],
    [
      'a failure whose type is not a reason code',
      ApplicationFailure.create({ message: 'card 4111', type: 'KmsCodecError:4111' }),
    ],
  ])('encodes a failure that was caused by %s', (_, cause) => {
    const failure = toFailure(handlerError(cause));
    expect(failure).toMatchObject({ message: 'Encoded failure', cause: { message: 'Encoded failure' } });
  });
});

it('encodes a codec error outside Nexus handlers', () => {
  const failure = toFailure(new KmsCodecError('malformed', 'The message is malformed'));
  expect(failure).toMatchObject({
    message: 'Encoded failure',
    applicationFailureInfo: { type: 'KmsCodecError:malformed' },
  });
});

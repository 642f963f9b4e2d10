import {
  ApplicationFailure,
  DefaultFailureConverter,
  type Payload,
  type PayloadConverter,
  type ProtoFailure,
} from '@temporalio/common';

/**
 * @internal The metadata key that marks a failure's payloads. The codec removes the mark before it encrypts.
 *   The codec never throws for marked payloads, because an error during a failure's encoding ends the worker.
 */
export const FAILURE_MARK = 'temporal-kms/failure';

type Context = Parameters<DefaultFailureConverter['errorToFailure']>[2];

class MarkingFailureConverter extends DefaultFailureConverter {
  override errorToFailure(
    error: unknown,
    payloadConverter: PayloadConverter,
    context?: Context,
  ): ProtoFailure {
    if (isNexusCodecError(error)) {
      return withoutStackTrace(plainConverter.errorToFailure(error, payloadConverter, context));
    }
    return marked(super.errorToFailure(error, payloadConverter, context));
  }
}

const plainConverter = new DefaultFailureConverter();

/**
 * Returns whether a Nexus handler failed because the codec cannot read or write a payload. Such a failure is
 * not encrypted, because the caller's namespace could not decrypt it either and would never learn the reason.
 * The failure contains no plaintext.
 */
function isNexusCodecError(error: unknown): boolean {
  if (!(error instanceof Error && error.name === 'HandlerError')) return false;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure) || cause.details?.length) return false;
  return codecErrorType.test(cause.type ?? '');
}

/**
 * The type of a `KmsCodecError`. This file imports no module of this library, because bundled applications
 * copy the file.
 */
const codecErrorType = /^KmsCodecError:[a-z_]+$/;

/** Removes stack traces, which would show paths of the worker's files. */
const withoutStackTrace = (failure: ProtoFailure): ProtoFailure => ({
  ...failure,
  stackTrace: '',
  ...(failure.cause && { cause: withoutStackTrace(failure.cause) }),
});

/**
 * Returns a copy of a failure, with marked payloads. Does not change the failure itself, because an error may
 * hold a reference to it.
 */
function marked(failure: ProtoFailure): ProtoFailure {
  const copy: ProtoFailure = { ...failure };
  const { encodedAttributes, applicationFailureInfo, canceledFailureInfo, cause } = failure;
  const { timeoutFailureInfo, resetWorkflowFailureInfo } = failure;
  if (encodedAttributes) copy.encodedAttributes = withMark(encodedAttributes);
  if (applicationFailureInfo?.details?.payloads) {
    copy.applicationFailureInfo = { ...applicationFailureInfo, details: all(applicationFailureInfo.details) };
  }
  if (canceledFailureInfo?.details?.payloads) {
    copy.canceledFailureInfo = { ...canceledFailureInfo, details: all(canceledFailureInfo.details) };
  }
  if (timeoutFailureInfo?.lastHeartbeatDetails?.payloads) {
    const { lastHeartbeatDetails } = timeoutFailureInfo;
    copy.timeoutFailureInfo = { ...timeoutFailureInfo, lastHeartbeatDetails: all(lastHeartbeatDetails) };
  }
  if (resetWorkflowFailureInfo?.lastHeartbeatDetails?.payloads) {
    const { lastHeartbeatDetails } = resetWorkflowFailureInfo;
    copy.resetWorkflowFailureInfo = {
      ...resetWorkflowFailureInfo,
      lastHeartbeatDetails: all(lastHeartbeatDetails),
    };
  }
  if (cause) copy.cause = marked(cause);
  return copy;
}

const all = ({ payloads }: { payloads?: Payload[] | null }) => ({
  payloads: (payloads ?? []).map((payload) => withMark(payload)),
});

const withMark = (payload: Payload): Payload => ({
  ...payload,
  metadata: { ...payload.metadata, [FAILURE_MARK]: new Uint8Array() },
});

/**
 * Moves failure messages and stack traces into a payload, so that the codec encrypts them. Without this
 * converter, Temporal stores messages and stack traces in plaintext. Pass this module's path as
 * `failureConverterPath`. The SDK bundles this module with the workflow code, so the module uses neither Node
 * nor Cloud KMS. Clients without the codec see "Encoded failure" as the message; the failure's type stays
 * readable.
 */
export const failureConverter: DefaultFailureConverter = new MarkingFailureConverter({
  encodeCommonAttributes: true,
});

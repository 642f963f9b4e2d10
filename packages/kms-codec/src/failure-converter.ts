import {
  ApplicationFailure,
  DefaultFailureConverter,
  type Payload,
  type PayloadConverter,
  type ProtoFailure,
} from '@temporalio/common';

/**
 * @internal The metadata key of payloads that belong to a failure. The codec removes it before it encrypts. It never throws
 * for such payloads, because an error while a worker encodes a failure ends the worker.
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
 * Whether a Nexus handler failed because the codec cannot read or write a payload. The caller, in another namespace, could not
 * decrypt this failure for the same reason, and would never learn it. It contains no plaintext, so it stays readable.
 */
function isNexusCodecError(error: unknown): boolean {
  if (!(error instanceof Error && error.name === 'HandlerError')) return false;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure) || cause.details?.length) return false;
  return codecErrorType.test(cause.type ?? '');
}

/** The type of a `KmsCodecError`. This file imports none of ours, because bundled applications copy it. */
const codecErrorType = /^KmsCodecError:[a-z_]+$/;

/** The stack traces would show paths of the worker. */
const withoutStackTrace = (failure: ProtoFailure): ProtoFailure => ({
  ...failure,
  stackTrace: '',
  ...(failure.cause && { cause: withoutStackTrace(failure.cause) }),
});

/** Returns a copy whose payloads are marked. The failure itself may be kept by the error that it was made of. */
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
 * Moves failure messages and stack traces into a payload, so that the codec encrypts them. Without it Temporal stores them
 * in plaintext. Workflow code bundles this module, so it uses neither Node nor Cloud KMS: pass its path as
 * `failureConverterPath`. Clients without the codec see "Encoded failure" as the message; the failure's type stays readable.
 */
export const failureConverter: DefaultFailureConverter = new MarkingFailureConverter({
  encodeCommonAttributes: true,
});

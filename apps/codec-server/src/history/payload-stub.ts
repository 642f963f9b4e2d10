import type {
  PayloadPlaceholder,
  PayloadRef,
  PayloadStub,
  ReasonCode,
  StoredContent,
} from '@temporal-kms/codec-api';
import {
  keyOf,
  otherNamespace,
  type Payload,
  type PayloadContext,
  type PayloadLocation,
} from '@temporal-kms/histories/payloads';
import { hasTooManyEntries } from '../json/payload.ts';
import { referenceInfo, type ServedStorage } from '../storage/retrieval.ts';

/** Describes a payload from its metadata and header, without decrypting it. `KmsCodec.inspect` implements it. */
export type Inspect = (
  payload: Payload,
  context: PayloadContext,
) => {
  readonly format: PayloadStub['format'];
  readonly encoding: string;
  readonly bytes: number;
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  readonly namespace?: string | undefined;
  readonly boundToWorkflow?: true | undefined;
  readonly reason?: ReasonCode | undefined;
  readonly stored?: StoredContent | undefined;
};

/**
 * Wraps `inspect`, so that it also describes the objects in external storage to which references point.
 * Makes no request.
 */
export const inspectStored =
  (inspect: Inspect, storage: ServedStorage | undefined): Inspect =>
  (payload, context) => {
    const info = inspect(payload, context);
    const reference = info.format === 'external' && referenceInfo(payload, context.namespace, storage);
    if (!reference) return info;
    const { stored, reason } = reference;
    // This server does not follow the reference, so the codec's reason code applies.
    return { ...info, stored, reason: reason === 'external_reference' ? info.reason : reason };
  };

/** Returns the placeholder for a payload in the JSON of an event or a description. */
export const placeholder = (ref: PayloadRef): PayloadPlaceholder => ({ $payload: ref });

/**
 * Returns the API's description of a payload, without decrypting it: ref, path, size, format, key and key
 * version.
 */
export function payloadStub(
  ref: PayloadRef,
  { payload, path, encryptable, isEnvelope }: PayloadLocation,
  context: PayloadContext,
  inspect: Inspect,
): PayloadStub {
  const info = inspect(payload, context);
  const tooLarge = hasTooManyEntries(payload) ? 'too_large' : undefined;
  // SDKs never encrypt these fields, so plaintext in them is not a problem.
  const isExpected = info.format === 'plain' && !encryptable;
  const expected = isEnvelope ? 'system_envelope' : undefined;
  const reason = tooLarge ?? (isExpected ? expected : info.reason);
  return {
    ref,
    path,
    bytes: info.bytes,
    encoding: info.encoding,
    format: info.format,
    ...keyOf(info),
    ...otherNamespace(info, context),
    ...(info.boundToWorkflow ? { boundToWorkflow: true } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(info.stored && { stored: info.stored }),
  };
}

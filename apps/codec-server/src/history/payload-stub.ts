import type { PayloadPlaceholder, PayloadRef, PayloadStub, ReasonCode } from '@temporal-kms/codec-api';
import { hasTooManyEntries, keyOf, otherNamespace, type Payload } from '../json/payload.ts';
import type { PayloadLocation } from './message.ts';

/** The workflow that a payload is encrypted for. The codec binds messages to it. */
export interface PayloadContext {
  readonly type: 'workflow';
  readonly namespace: string;
  readonly workflowId: string;
}

export const workflowContext = ({ namespace, workflowId }: Omit<PayloadContext, 'type'>): PayloadContext => ({
  type: 'workflow',
  namespace,
  workflowId,
});

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
  readonly reason?: ReasonCode | undefined;
};

/** Returns the object that replaces a payload in the JSON of an event or a description. */
export const placeholder = (ref: PayloadRef): PayloadPlaceholder => ({ $payload: ref });

/** Returns what the API tells about a payload without decrypting it: ref, path, size, format, key and key version. */
export function payloadStub(
  ref: PayloadRef,
  { payload, path, encryptable }: PayloadLocation,
  context: PayloadContext,
  inspect: Inspect,
): PayloadStub {
  const info = inspect(payload, context);
  const tooLarge = hasTooManyEntries(payload) ? 'too_large' : undefined;
  // SDKs never encrypt these fields, so plaintext in them is not a problem to report.
  const reason = tooLarge ?? (info.format === 'plain' && !encryptable ? undefined : info.reason);
  return {
    ref,
    path,
    bytes: info.bytes,
    encoding: info.encoding,
    format: info.format,
    ...keyOf(info),
    ...otherNamespace(info, context),
    ...(reason === undefined ? {} : { reason }),
  };
}

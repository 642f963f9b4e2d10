import type { PayloadPlaceholder, PayloadRef, PayloadStub, ReasonCode } from '@temporal-kms/codec-api';
import type { SealedIn } from './context.ts';
import { keyOf, otherNamespace, type Payload } from '../payload.ts';
import { hasTooManyEntries } from '../json/payload-limits.ts';
import type { Found } from './message.ts';

/** What the codec says of a payload from its metadata and header alone; `KmsCodec.inspect` is one. */
export type Inspect = (
  payload: Payload,
  context: SealedIn,
) => {
  readonly format: PayloadStub['format'];
  readonly encoding: string;
  readonly bytes: number;
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  readonly namespace?: string | undefined;
  readonly reason?: ReasonCode | undefined;
};

export const placeholder = (ref: PayloadRef): PayloadPlaceholder => ({ $payload: ref });

export function stubOf(ref: PayloadRef, found: Found, context: SealedIn, inspect: Inspect): PayloadStub {
  const info = inspect(found.payload, context);
  const tooLarge = hasTooManyEntries(found.payload) ? 'too_large' : undefined;
  // Plaintext where no codec ever seals is as it should be.
  const reason = tooLarge ?? (info.format === 'plain' && !found.sealable ? undefined : info.reason);
  return {
    ref,
    path: found.path,
    bytes: info.bytes,
    encoding: info.encoding,
    format: info.format,
    ...keyOf(info),
    ...otherNamespace(info, context),
    ...(reason === undefined ? {} : { reason }),
  };
}

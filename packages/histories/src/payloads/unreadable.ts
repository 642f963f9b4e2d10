import {
  isCryptoKeyName,
  type KeyUse,
  type PayloadRef,
  reasonCode,
  type ReasonCode,
  UNREADABLE_ENCODING,
} from '@temporal-kms/codec-api';
import type { Payload, PayloadJson } from './payload.ts';

/** Why a payload could not be decrypted. */
interface Unreadable {
  readonly reason: ReasonCode;
  readonly key?: KeyUse | undefined;
  /** The namespace that the message names, if it differs from the history's namespace. */
  readonly namespace?: string | undefined;
}

/**
 * Returns the payload that replaces an unreadable payload in a decoded export. No payload converter accepts
 * the returned payload's encoding, so a replay fails at this payload instead of continuing with wrong data.
 */
export function unreadablePayload(ref: PayloadRef, { reason, key, namespace }: Unreadable): PayloadJson {
  const metadata = Object.entries({
    encoding: UNREADABLE_ENCODING,
    reason,
    ref,
    ...(key?.name === undefined ? {} : { key: key.name }),
    ...(key?.version === undefined ? {} : { 'key-version': String(key.version) }),
    ...(namespace === undefined ? {} : { namespace }),
  });
  return {
    metadata: Object.fromEntries(
      metadata.map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  };
}

/** Returns the JSON that replaces an unreadable payload in a readable export. */
export const unreadableValue = (ref: PayloadRef, { reason, key, namespace }: Unreadable) => ({
  $unreadable: { reason, ref, key, namespace },
});

const VERSION = /^[1-9]\d{0,9}$/;

/**
 * Returns why an export could not decrypt a payload, or undefined if the payload was decrypted. The result
 * goes into the audit. A file's author can write any text into these fields, so this function accepts only
 * valid names and numbers.
 */
export function unreadableReason({ metadata }: Payload) {
  const text = (name: string): string => Buffer.from(metadata?.[name] ?? '').toString();
  if (text('encoding') !== UNREADABLE_ENCODING) return undefined;
  const reason = reasonCode.safeParse(text('reason'));
  const [key, version] = [text('key'), text('key-version')];
  return {
    reason: reason.success ? reason.data : 'malformed',
    ...(isCryptoKeyName(key) ? { key } : {}),
    ...(VERSION.test(version) ? { keyVersion: Number(version) } : {}),
  } as const;
}

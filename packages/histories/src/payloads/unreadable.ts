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
  /** The namespace that the message names, if it is not the history's. */
  readonly namespace?: string | undefined;
}

/**
 * Returns the payload that a decoded export contains in place of one that cannot be read. No payload converter accepts its
 * encoding, so a replay fails there instead of continuing with wrong data.
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

/** Returns what a readable export contains in place of a payload that cannot be read. */
export const unreadableValue = (ref: PayloadRef, { reason, key, namespace }: Unreadable) => ({
  $unreadable: { reason, ref, key, namespace },
});

const VERSION = /^[1-9]\d{0,9}$/;

/**
 * Returns why an export could not decrypt a payload; undefined for a payload that the export contains. The author of a file can
 * write any text into its marks, and what is returned goes into the audit, so other texts than names and numbers are left out.
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

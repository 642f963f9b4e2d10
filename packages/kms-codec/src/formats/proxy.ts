import { KmsCodecError } from '../errors.ts';
import { wrappedKey, type WrappedKey } from '../keys/opened-keys.ts';
import { parseBox } from '../wire/aead-box.ts';
import { MAX_WRAPPED_KEY_BYTES } from '../wire/header.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Payload } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { decryptMessage } from './decrypt.ts';
import { metadataText } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/encrypted` with `encryption-dek`: what temporalio/temporal-proxy writes with Google keys. Read only. Its
 * data key is base64 in the metadata, its key a Go CDK address, and nothing is bound.
 */

const SCHEME = 'gcpkms://';
const none = new Uint8Array();
/** RFC 4648, section 4, with its padding, as Go's standard encoding wants it; Node's own decoder forgives anything. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The crypto key that it names; undefined where that isn't a listed Google key, so that the payload passes through. */
export function proxyKey(payload: Payload, scope: Scope): string | undefined {
  const address = metadataText(payload, 'encryption-key-id');
  const cryptoKey = address.startsWith(SCHEME) ? address.slice(SCHEME.length) : undefined;
  return cryptoKey !== undefined && scope.rule.keys.includes(cryptoKey) ? cryptoKey : undefined;
}

/** Characters; a regular expression over millions of them overflows its stack. */
const MAX_DEK = Math.ceil(MAX_WRAPPED_KEY_BYTES / 3) * 4;

/** @throws `malformed` when its data key isn't base64, or too long */
export function wrappedProxyKey(payload: Payload, cryptoKey: string): WrappedKey {
  const bytes = payload.metadata?.['encryption-dek']?.length ?? 0;
  if (bytes > MAX_DEK)
    throw new KmsCodecError('malformed', `encryption-dek is longer than ${MAX_DEK} characters`);
  const encoded = metadataText(payload, 'encryption-dek');
  if (encoded === '' || !BASE64.test(encoded))
    throw new KmsCodecError('malformed', "encryption-dek isn't base64");
  return wrappedKey({ cryptoKey, aad: none, wrapped: Buffer.from(encoded, 'base64') });
}

export function openProxy(
  keys: DataKeys,
  payload: Payload,
  cryptoKey: string,
  scope: Scope,
): MaybePromise<Payload> {
  const dataKey = wrappedProxyKey(payload, cryptoKey);
  const box = parseBox(payload.data ?? none);
  return keys.withOpened(scope, dataKey, (key) => decryptMessage(key, { box }, scope));
}

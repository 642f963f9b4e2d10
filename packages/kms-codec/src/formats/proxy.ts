import { checkLength } from '../crypto/aead.ts';
import { KmsCodecError } from '../errors.ts';
import { MAX_WRAPPED_KEY_BYTES, wrappedKey, type WrappedKey } from '../crypto/wrapped-key.ts';
import { decryptWithWrappedKey, noHeader } from './aead-message.ts';
import {
  checkFormat,
  checkNotDenied,
  isEncoding,
  metadataText,
  passThrough,
  type WireFormat,
} from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import type { Payload } from './payload.ts';
import type { Scope } from './scope.ts';
import { ENCRYPTED_ENCODING } from './static.ts';

/*
 * `binary/encrypted` with `encryption-dek` is the format that temporalio/temporal-proxy writes with Google
 * Cloud KMS keys. The codec only reads it. The metadata contains the wrapped data key in base64 and names the
 * crypto key by its Go CDK URL. There is no additional authenticated data.
 */

interface ProxyMessage extends ParsedMessage {
  /**
   * Absent if the payload names an unlisted key or no Cloud KMS key. The codec returns such a payload
   * unchanged.
   */
  readonly dataKey?: WrappedKey;
}

const notListed: ProxyMessage = { reason: 'key_not_allowed', passes: true };
const noBytes = new Uint8Array();

export const proxy: WireFormat<ProxyMessage> = {
  name: 'proxy',

  claims: (encoding, payload) =>
    isEncoding(encoding, ENCRYPTED_ENCODING) && payload.metadata?.['encryption-dek'] !== undefined,

  parse(payload, scope) {
    const cryptoKey = listedKey(payload, scope);
    if (cryptoKey === undefined) return notListed;
    checkFormat('proxy', scope);
    const wrapped = wrappedIn(payload);
    checkNotDenied(wrapped, scope);
    const dataKey = wrappedKey({ cryptoKey, aad: noBytes, wrapped, isBranchKey: false });
    return { key: cryptoKey, wrappedKeys: [dataKey], dataKey };
  },

  decrypt({ dataKey }, payload, call) {
    if (dataKey === undefined) return passThrough(payload, call.scope);
    checkLength(payload.data ?? noBytes);
    return decryptWithWrappedKey(dataKey, payload, noHeader, call);
  },
};

const SCHEME = 'gcpkms://';

function listedKey(payload: Payload, { rule }: Scope): string | undefined {
  const url = metadataText(payload, 'encryption-key-id');
  return rule.keys.find((key) => url === SCHEME + key);
}

/**
 * Matches base64 with padding (RFC 4648, section 4), as Go's standard encoding requires. This check is
 * necessary because Node's decoder ignores invalid characters.
 */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/**
 * Maximum length of a wrapped key in base64, in characters. The length is checked before the regular
 * expression runs, because millions of characters would overflow its stack.
 */
const MAX_BASE64_LENGTH = Math.ceil(MAX_WRAPPED_KEY_BYTES / 3) * 4;

function wrappedIn(payload: Payload): Uint8Array {
  const encoded = metadataText(payload, 'encryption-dek');
  if (encoded.length > MAX_BASE64_LENGTH) {
    throw new KmsCodecError('malformed', `encryption-dek is longer than ${MAX_BASE64_LENGTH} characters`);
  }
  if (encoded === '' || !BASE64.test(encoded)) {
    throw new KmsCodecError('malformed', 'encryption-dek is not base64');
  }
  const wrapped = Buffer.from(encoded, 'base64');
  if (wrapped.length > MAX_WRAPPED_KEY_BYTES) {
    throw new KmsCodecError('malformed', `encryption-dek is longer than ${MAX_WRAPPED_KEY_BYTES} bytes`);
  }
  return wrapped;
}

import type { KeyObject } from 'node:crypto';
import { decryptMessage, noHeader } from './aead-message.ts';
import { checkFormat, isEncoding, metadataText, passThrough, type WireFormat } from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';

/*
 * `binary/encrypted` with `encryption-key-id` and without a data key is the format of the encryption samples
 * for Temporal's SDKs. The key comes from the keys file. The codec only reads this format.
 */

/**
 * The encoding that both temporal-proxy and Temporal's samples write. Only the proxy also writes a data key.
 */
export const ENCRYPTED_ENCODING = Buffer.from('binary/encrypted');

interface StaticMessage extends ParsedMessage {
  /**
   * Absent if the payload names a key id that is not configured. The codec returns such a payload unchanged.
   */
  readonly staticKey?: KeyObject;
}

const notListed: StaticMessage = { reason: 'key_not_allowed', passes: true };

/** The format `static`, whose name is a reserved word in JavaScript. */
export const staticFormat: WireFormat<StaticMessage> = {
  name: 'static',

  claims: (encoding, payload) =>
    isEncoding(encoding, ENCRYPTED_ENCODING) && payload.metadata?.['encryption-key-id'] !== undefined,

  parse(payload, scope) {
    const id = metadataText(payload, 'encryption-key-id');
    const staticKey = scope.rule.static.get(id);
    const bytes = payload.metadata?.['encryption-key-id'];
    // Compares bytes, because invalid UTF-8 would decode to other text, which could be a listed id.
    if (!staticKey || (bytes?.length && !Buffer.from(id).equals(bytes))) return notListed;
    checkFormat('static', scope);
    return { staticKey };
  },

  decrypt({ staticKey }, payload, call) {
    if (!staticKey) return passThrough(payload, call.scope);
    return decryptMessage(staticKey, payload, noHeader, call);
  },
};

import { DATA_KEY_BYTES } from '../crypto/data-key.ts';
import { asPlaintext, type Plaintext } from '../crypto/plaintext.ts';
import { KmsCodecError } from '../errors.ts';
import { parsePlaintext } from './aead-message.ts';
import { candidateKeys, firstThatDecrypts } from './envelope.ts';
import { checkFormat, isEncoding, type WritableWireFormat } from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import { type Payload, serialize } from './payload.ts';
import { notAPayload } from './payload-reader.ts';
import type { Call } from './scope.ts';

/*
 * `binary/gcp-kms`: the guide's direct encryption. One Cloud KMS call per payload, no additional authenticated data.
 * Cloud KMS limits the plaintext to 64 KiB, and to 8 KiB for HSM keys.
 */

const ENCODING = Buffer.from('binary/gcp-kms');

/**
 * Limit on a ciphertext: the largest plaintext, and 1 KiB for what Cloud KMS adds. It adds about 80 bytes today, but does not
 * document that.
 */
const MAX_CIPHERTEXT_BYTES = 65_536 + 1_024;

interface DirectMessage extends ParsedMessage {
  readonly candidates: readonly string[];
  readonly ciphertext: Uint8Array;
}

export const direct: WritableWireFormat<DirectMessage> = {
  name: 'direct',

  claims: (encoding) => isEncoding(encoding, ENCODING),

  parse(payload, scope) {
    checkFormat('direct', scope);
    const ciphertext = payload.data;
    if (!ciphertext?.length) throw new KmsCodecError('malformed', 'The message has no ciphertext');
    if (ciphertext.length > MAX_CIPHERTEXT_BYTES) throw tooLarge(ciphertext.length);
    const candidates = candidateKeys(payload, scope);
    return {
      key: candidates.length === 1 ? candidates[0] : undefined,
      uncachedCalls: candidates.length,
      candidates,
      ciphertext,
    };
  },

  async decrypt({ candidates, ciphertext }, _, call) {
    const { namespace } = call.scope.rule;
    await call.budget.reserve(ciphertext.length);
    return await firstThatDecrypts(candidates, call, async (cryptoKey) => {
      const bytes = await call.keys.direct.decrypt(namespace, cryptoKey, ciphertext, call.waitBudget);
      return await toPayload(asPlaintext(bytes), call);
    });
  },

  /** Cloud KMS checks the size of the plaintext: `too_large` before any call. */
  async encrypt(payload, call, { cryptoKey }) {
    const { namespace } = call.scope.rule;
    const plaintext = withoutDataKeyLength(serialize(payload));
    try {
      const data = await call.keys.direct.encrypt(namespace, cryptoKey, plaintext, call.waitBudget);
      const metadata = { encoding: ENCODING, 'kms-key': Buffer.from(cryptoKey) };
      return { payload: { metadata, data }, message: { key: cryptoKey } };
    } finally {
      plaintext.fill(0);
    }
  },
};

const tooLarge = (bytes: number) =>
  new KmsCodecError(
    'too_large',
    `The message has a ciphertext of ${bytes} bytes; Cloud KMS encrypts at most 65536 bytes, so that a ciphertext has at most ` +
      `${MAX_CIPHERTEXT_BYTES}. Cloud KMS was not called`,
  );

/** Field 2, `data`, empty. */
const EMPTY_DATA = Buffer.of(0x12, 0);
/** The length of a plaintext of 32 bytes after `withoutDataKeyLength`. */
const LONGER_BYTES = DATA_KEY_BYTES + EMPTY_DATA.length;

/**
 * Returns the plaintext in a length other than that of a data key, or its ciphertext could be passed off as a wrapped data
 * key of the format `envelope`. `toPayload` removes the empty `data` in front.
 */
function withoutDataKeyLength(serialized: Uint8Array): Uint8Array {
  if (serialized.length !== DATA_KEY_BYTES) return serialized;
  const longer = Buffer.concat([EMPTY_DATA, serialized]);
  serialized.fill(0);
  return longer;
}

async function toPayload(plaintext: Plaintext, call: Call): Promise<Payload> {
  const isLonger =
    plaintext.length === LONGER_BYTES && EMPTY_DATA.equals(plaintext.subarray(0, EMPTY_DATA.length));
  const serialized = isLonger ? asPlaintext(plaintext.subarray(EMPTY_DATA.length)) : plaintext;
  const payload = await parsePlaintext(serialized, call);
  if (!looksLikeDataKey(payload, plaintext)) return payload;
  plaintext.fill(0);
  throw notAPayload();
}

/**
 * A wrapped data key of the format `envelope` can be passed off as a direct message, and a client that may only decrypt
 * would get the key. 32 random bytes may parse as a payload, but without the encoding that every payload of Temporal's
 * converters has.
 */
const looksLikeDataKey = (payload: Payload, serialized: Uint8Array): boolean =>
  serialized.length === DATA_KEY_BYTES && !payload.metadata?.['encoding'];

import { DATA_KEY_BYTES } from '../crypto/data-key.ts';
import { asPlaintext, type Plaintext } from '../crypto/plaintext.ts';
import { KmsCodecError } from '../errors.ts';
import { parsePlaintext } from './aead-message.ts';
import { candidateKeys, firstThatDecrypts } from './envelope.ts';
import { checkFormat, isEncoding, type WritableWireFormat } from './format.ts';
import type { ParsedMessage } from './parsed-message.ts';
import { type Payload, serializeAfterEmptyData } from './payload.ts';
import { notAPayload } from './payload-reader.ts';
import type { Call } from './scope.ts';

/*
 * `binary/gcp-kms` is the guide's direct encryption. It makes one Cloud KMS call per payload, and has no
 * additional authenticated data. Cloud KMS limits the plaintext to 64 KiB, or to 8 KiB with an HSM key.
 */

const ENCODING = Buffer.from('binary/gcp-kms');

/**
 * Maximum length of a ciphertext, in bytes: the length of the largest plaintext plus 1 KiB. Cloud KMS adds
 * about 80 bytes today, but does not document how many.
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

  /**
   * `CloudKms` checks the plaintext's size before the call, and throws `too_large` if the plaintext is too
   * long.
   */
  async encrypt(payload, call, { cryptoKey }) {
    const { namespace } = call.scope.rule;
    const plaintext = serializeForKms(payload);
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
    `The message has a ciphertext of ${bytes} bytes; Cloud KMS encrypts at most 65536 bytes, so a ciphertext has at most ` +
      `${MAX_CIPHERTEXT_BYTES}. Cloud KMS was not called`,
  );

/** An empty `data` field (protobuf field 2), serialized. */
const EMPTY_DATA = Buffer.of(0x12, 0);
/** The length of a payload of 32 bytes with an empty `data` field before it. */
const LONGER_BYTES = DATA_KEY_BYTES + EMPTY_DATA.length;

/**
 * Serializes a payload, and extends the plaintext if it is as long as a data key. Without the extension, an
 * attacker could pass off the ciphertext as a wrapped data key of the format `envelope`. `toPayload` removes
 * the empty `data` field that this function prepends.
 */
function serializeForKms(payload: Payload): Uint8Array {
  const longer = serializeAfterEmptyData(payload);
  return longer.length === LONGER_BYTES ? longer : longer.subarray(EMPTY_DATA.length);
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
 * Returns whether a plaintext may be a data key of the format `envelope`. Without this check, an attacker
 * could pass off a wrapped data key as a direct message, and a client that may only decrypt would get the
 * key. 32 random bytes can parse as a payload, but not as a payload with an encoding, which every payload
 * from Temporal's converters has.
 */
const looksLikeDataKey = (payload: Payload, serialized: Uint8Array): boolean =>
  serialized.length === DATA_KEY_BYTES && !payload.metadata?.['encoding'];

import { KmsCodecError } from '../errors.ts';
import { DATA_KEY_BYTES } from '../keys/data-key.ts';
import { deserialize, notAPayload, type Payload, serialize } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { ENCODING } from './encoding.ts';
import { candidatesV1, firstThatOpens } from './envelope.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/gcp-kms`: the guide's direct encryption, one Cloud KMS call a payload, nothing bound. Cloud KMS limits its
 * plaintext to 64 KiB, 8 KiB for HSM keys.
 */

/** Field 2, `data`, empty. */
const EMPTY_DATA = Buffer.of(0x12, 0);

/** @throws `too_large` before any call, in addition to Cloud KMS's own errors */
export async function sealDirect(
  keys: DataKeys,
  payload: Payload,
  cryptoKey: string,
  scope: Scope,
): Promise<Payload> {
  const plaintext = withoutDataKeyLength(serialize(payload));
  try {
    const ciphertext = await keys.direct.wrap(scope.rule.namespace, cryptoKey, plaintext, scope.waitBudget);
    return { metadata: { encoding: ENCODING.direct, 'kms-key': Buffer.from(cryptoKey) }, data: ciphertext };
  } finally {
    plaintext.fill(0);
  }
}

/**
 * A plaintext of 32 bytes could be passed off as an envelope's wrapped data key. An empty `data` in front changes the
 * length and not the payload: in proto3 the last value of a field counts.
 */
function withoutDataKeyLength(serialized: Uint8Array): Uint8Array {
  if (serialized.length !== DATA_KEY_BYTES) return serialized;
  const longer = Buffer.concat([EMPTY_DATA, serialized]);
  serialized.fill(0);
  return longer;
}

export async function openDirect(keys: DataKeys, payload: Payload, scope: Scope): Promise<Payload> {
  const ciphertext = payload.data;
  if (!ciphertext?.length) throw new KmsCodecError('malformed', 'The message has no ciphertext');
  const candidates = candidatesV1(payload, scope);
  await scope.budget.reserve(ciphertext.length);
  return await firstThatOpens(candidates, scope, async (cryptoKey) =>
    innerOf(await keys.direct.unwrap(scope.rule.namespace, cryptoKey, ciphertext, scope.waitBudget)),
  );
}

function innerOf(plaintext: Uint8Array): Payload {
  const inner = deserialize(plaintext);
  if (!looksLikeDataKey(inner, plaintext)) return inner;
  plaintext.fill(0);
  throw notAPayload();
}

/**
 * Nothing is bound, so an envelope's wrapped data key can be passed off as a direct message: a client that may only
 * decrypt would get the key. 32 random bytes can parse as a payload, but they never contain an encoding, which every
 * payload of Temporal's converters does.
 */
const looksLikeDataKey = (inner: Payload, serialized: Uint8Array): boolean =>
  serialized.length === DATA_KEY_BYTES && !inner.metadata?.['encoding'];

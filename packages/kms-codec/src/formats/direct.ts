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

/** @throws `too_large` or `malformed` before any call, besides Cloud KMS's own errors */
export async function sealDirect(
  keys: DataKeys,
  payload: Payload,
  cryptoKey: string,
  scope: Scope,
): Promise<Payload> {
  const plaintext = serialize(payload);
  try {
    if (looksLikeDataKey(payload, plaintext)) {
      throw new KmsCodecError(
        'malformed',
        "A payload of 32 bytes without an encoding couldn't be told from a data key: use an envelope format",
      );
    }
    const ciphertext = await keys.direct.wrap(scope.rule.namespace, cryptoKey, plaintext, scope.waitBudget);
    return { metadata: { encoding: ENCODING.direct, 'kms-key': Buffer.from(cryptoKey) }, data: ciphertext };
  } finally {
    plaintext.fill(0);
  }
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
 * The guide's two formats share keys and bind nothing, so an envelope's wrapped data key can stand here as a message:
 * whoever may only decrypt would be given the key. 32 random bytes can happen to parse; they never hold an encoding,
 * which every payload of Temporal's converters does.
 */
const looksLikeDataKey = (inner: Payload, serialized: Uint8Array): boolean =>
  serialized.length === DATA_KEY_BYTES && !inner.metadata?.['encoding'];

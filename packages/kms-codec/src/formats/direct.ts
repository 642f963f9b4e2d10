import { KmsCodecError } from '../errors.ts';
import { deserialize, type Payload, serialize } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { ENCODING } from './encoding.ts';
import { candidatesV1, firstThatOpens } from './envelope.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/gcp-kms`: the guide's direct encryption, one Cloud KMS call a payload, nothing bound. Cloud KMS limits its
 * plaintext to 64 KiB, 8 KiB for HSM keys.
 */

/** @throws `too_large` before any call, besides Cloud KMS's own errors */
export async function sealDirect(
  keys: DataKeys,
  payload: Payload,
  cryptoKey: string,
  scope: Scope,
): Promise<Payload> {
  const plaintext = serialize(payload);
  try {
    const ciphertext = await keys.direct.wrap(cryptoKey, plaintext, scope.budgetMs);
    return { metadata: { encoding: ENCODING.direct, 'kms-key': Buffer.from(cryptoKey) }, data: ciphertext };
  } finally {
    plaintext.fill(0);
  }
}

export async function openDirect(keys: DataKeys, payload: Payload, scope: Scope): Promise<Payload> {
  const ciphertext = payload.data;
  if (!ciphertext?.length) throw new KmsCodecError('malformed', 'The message has no ciphertext');
  return await firstThatOpens(candidatesV1(payload, scope), scope, async (cryptoKey) =>
    deserialize(await keys.direct.unwrap(cryptoKey, ciphertext, scope.budgetMs)),
  );
}

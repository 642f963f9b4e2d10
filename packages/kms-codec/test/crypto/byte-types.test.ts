import { createSecretKey } from 'node:crypto';
import { expectTypeOf, it } from 'vitest';
import { type Ciphertext, decrypt, encrypt } from '../../src/crypto/aead.ts';
import { generateKey, importKey, type KeyBytes } from '../../src/crypto/data-key.ts';
import type { Plaintext } from '../../src/crypto/plaintext.ts';
import { wrappedKey, type WrappedKeyBytes } from '../../src/crypto/wrapped-key.ts';
import { deserialize } from '../../src/formats/payload-reader.ts';
import type { KeyContext } from '../../src/keys/key-context.ts';

const noBytes = new Uint8Array();

/** Type tests: `tsc` fails if an expected error is missing. The function is never called. */
export const mistakes = async (
  { keyService }: Pick<KeyContext, 'keyService'>,
  plaintext: Plaintext,
  wrapped: WrappedKeyBytes,
) => {
  const secret = createSecretKey(generateKey());
  const ciphertext = encrypt(secret, noBytes, [plaintext]);
  const request = { key: '', aad: noBytes };
  const key = { cryptoKey: '', aad: noBytes, isBranchKey: false };
  // @ts-expect-error -- only decrypted bytes can be a payload
  deserialize(ciphertext);
  // @ts-expect-error
  deserialize(wrapped);
  // @ts-expect-error
  deserialize(generateKey());
  // @ts-expect-error -- messages and the store contain the wrapped key
  wrappedKey({ ...key, wrapped: generateKey() });
  // @ts-expect-error
  wrappedKey({ ...key, wrapped: plaintext });
  // @ts-expect-error
  wrappedKey({ ...key, wrapped: ciphertext });
  // @ts-expect-error -- a wrapped key is not a key
  importKey(wrapped);
  // @ts-expect-error
  importKey(ciphertext);
  // @ts-expect-error
  decrypt(secret, undefined, plaintext);
  // @ts-expect-error
  decrypt(secret, undefined, wrapped);
  // @ts-expect-error -- Cloud KMS would get a secret in place of a ciphertext
  await keyService.unwrap({ ...request, ciphertext: generateKey() });
  // @ts-expect-error
  await keyService.unwrap({ ...request, ciphertext: plaintext });
  // @ts-expect-error
  await keyService.wrap({ ...request, plaintext: wrapped });
};

it('accepts bytes from elsewhere as ciphertext, but never as plaintext', () => {
  expectTypeOf<Uint8Array>().toExtend<Ciphertext & WrappedKeyBytes>();
  expectTypeOf<Uint8Array>().not.toExtend<Plaintext>();
  expectTypeOf<Uint8Array>().not.toExtend<KeyBytes>();
});

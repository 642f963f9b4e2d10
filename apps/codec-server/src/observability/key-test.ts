import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyTest } from '@temporal-kms/codec-api';
import { type KeyService, KmsCodecError, type ResolvedRule } from '@temporal-kms/kms-codec';
import { CALLS_IN_FLIGHT } from './kms-calls.ts';

export type TestedKey = KeyTest['keys'][number];
type Step = NonNullable<TestedKey['decrypt']>;

type Wrapping = Pick<KeyService, 'wrap' | 'unwrap'>;

/** Binds the ciphertext to the test, so that the ciphertext is never a valid wrapped key. */
const AAD = Buffer.from('temporal-kms self-test');

const TEST_BYTES = 32;

/**
 * Tests each of a namespace's keys in Cloud KMS, without a cache. Encrypts and decrypts random bytes. If
 * the server does not or may not encrypt with the key, tests only whether the server may decrypt. Never
 * rejects: a failure is a reason code.
 */
export async function testKeys(
  keyService: Wrapping,
  { keys, encrypt }: Pick<ResolvedRule, 'keys' | 'encrypt'>,
): Promise<TestedKey[]> {
  const tested: TestedKey[] = [];
  for (let at = 0; at < keys.length; at += CALLS_IN_FLIGHT) {
    const batch = keys.slice(at, at + CALLS_IN_FLIGHT);
    tested.push(
      ...(await Promise.all(
        batch.map((key) => (key === encrypt ? roundTrip(keyService, key) : mayDecrypt(keyService, key))),
      )),
    );
  }
  return tested;
}

async function roundTrip(keyService: Wrapping, key: string): Promise<TestedKey> {
  const plaintext = randomBytes(TEST_BYTES);
  const about = { name: key, use: 'encrypt_and_decrypt', check: 'round_trip' } as const;
  const [encrypt, wrapped] = await timed(() => keyService.wrap({ key, plaintext, aad: AAD }));
  if (wrapped === undefined) {
    // A server that only decrypts payloads needs no permission to encrypt.
    if (encrypt.reason !== 'permission_denied') return { ...about, encrypt };
    return { ...(await mayDecrypt(keyService, key)), use: about.use, encrypt };
  }
  const { ciphertext, keyVersion } = wrapped;
  const [decrypt] = await timed(async () => {
    const result = await keyService.unwrap({ key, ciphertext, aad: AAD, keyVersion });
    if (result.length !== TEST_BYTES || !timingSafeEqual(result, plaintext)) {
      throw new KmsCodecError(
        'integrity_failed',
        'The decrypted bytes differ from the bytes that were encrypted',
      );
    }
  });
  return { ...about, version: keyVersion, encrypt, decrypt };
}

/**
 * Tests with random bytes whether the server has the permission to decrypt, because Cloud KMS checks the
 * permission before it rejects the bytes.
 */
async function mayDecrypt(keyService: Wrapping, key: string): Promise<TestedKey> {
  const ciphertext = randomBytes(2 * TEST_BYTES);
  const [{ milliseconds, reason }] = await timed(() => keyService.unwrap({ key, ciphertext, aad: AAD }));
  const decrypt = reason === 'integrity_failed' ? { milliseconds } : { milliseconds, reason };
  return { name: key, use: 'decrypt', check: 'decrypt_permission', decrypt };
}

async function timed<T>(call: () => Promise<T>): Promise<[step: Step, result?: T]> {
  const start = performance.now();
  const elapsed = (): number => Math.round((performance.now() - start) * 10) / 10;
  try {
    const result = await call();
    return [{ milliseconds: elapsed() }, result];
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return [{ milliseconds: elapsed(), reason: error.code }];
  }
}

import { invalidArgument, unimplemented } from './errors.ts';

/** The purpose of a key, from `CryptoKey.CryptoKeyPurpose`. */
export type Purpose =
  | 'ENCRYPT_DECRYPT'
  | 'ASYMMETRIC_SIGN'
  | 'ASYMMETRIC_DECRYPT'
  | 'RAW_ENCRYPT_DECRYPT'
  | 'MAC'
  | 'KEY_ENCAPSULATION'
  | 'AES_WRAPPING';

/** The protection levels of Cloud KMS that the emulator supports. */
export type ProtectionLevel = 'SOFTWARE' | 'HSM';

/** The algorithms for each purpose, under their names in `CryptoKeyVersion.CryptoKeyVersionAlgorithm`. */
const algorithmsOf: Record<Purpose, RegExp> = {
  ENCRYPT_DECRYPT: /^GOOGLE_SYMMETRIC_ENCRYPTION$/,
  ASYMMETRIC_SIGN: /^(RSA_SIGN|EC_SIGN|PQ_SIGN)_/,
  ASYMMETRIC_DECRYPT: /^RSA_DECRYPT_/,
  RAW_ENCRYPT_DECRYPT: /^AES_(128|256)_(GCM|CBC|CTR)$/,
  MAC: /^HMAC_/,
  KEY_ENCAPSULATION: /^(ML_KEM|KEM)_/,
  AES_WRAPPING: /^AES_256_KWP$/,
};

const isPurpose = (value: string): value is Purpose => Object.hasOwn(algorithmsOf, value);

/** Returns the purpose. @throws KmsError INVALID_ARGUMENT if the purpose is missing or unknown */
export function requirePurpose(value: string): Purpose {
  if (!isPurpose(value)) throw invalidArgument('The field crypto_key.purpose is required.');
  return value;
}

/** Returns the algorithm of new versions. Only `ENCRYPT_DECRYPT` has a default (resources.proto). */
export function requireAlgorithm(purpose: Purpose, value: string): string {
  const unset = value === '' || value === 'CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED';
  if (unset && purpose === 'ENCRYPT_DECRYPT') return 'GOOGLE_SYMMETRIC_ENCRYPTION';
  if (unset) throw invalidArgument('The field crypto_key.version_template.algorithm is required.');
  if (!algorithmsOf[purpose].test(value)) {
    throw invalidArgument(`The algorithm ${value} is not valid for the purpose ${purpose}.`);
  }
  return value;
}

export function requireProtectionLevel(value: string): ProtectionLevel {
  if (value === '' || value === 'PROTECTION_LEVEL_UNSPECIFIED' || value === 'SOFTWARE') return 'SOFTWARE';
  if (value === 'HSM') return 'HSM';
  throw unimplemented(`The emulator has no keys of protection level ${value}.`);
}

/**
 * Returns whether Cloud KMS generates the key material only after its response, as it does for asymmetric
 * keys.
 */
export const isGeneratedLater = (purpose: Purpose): boolean => purpose.startsWith('ASYMMETRIC_');

import type { protos } from '@google-cloud/kms';
import { randomBytes } from 'node:crypto';
import { decryptBytes, encryptBytes, parseCiphertext } from '../crypto/ciphertext.ts';
import { crc32c } from '../crypto/crc32c.ts';
import type { ProtectionLevel } from '../model/algorithms.ts';
import {
  effectivePrimary,
  requirePurpose,
  requireUsable,
  versionToEncrypt,
  versionOf,
} from '../model/crypto-key.ts';
import { invalidArgument, unimplemented } from '../model/errors.ts';
import { parseCryptoKey, parseLocation, tryVersion, versionName } from '../model/names.ts';
import { requirePermission, type Handler } from './context.ts';
import { bytes, checksum, enumName, text } from './fields.ts';
import { checkSize, materialOf, MAX_BYTES, useQuota, verify } from './key-use.ts';

const MAX_HSM_BYTES = 8 * 1024;
/** Maximum length of a ciphertext. The limit is larger than the ciphertext of 64 KiB of plaintext. */
const MAX_CIPHERTEXT_BYTES = MAX_BYTES + 1024;

export const encrypt: Handler<
  protos.google.cloud.kms.v1.IEncryptRequest,
  protos.google.cloud.kms.v1.IEncryptResponse
> = (request, context) => {
  const name = text(request.name);
  const plaintext = bytes(request.plaintext);
  const aad = bytes(request.additionalAuthenticatedData);
  const { parent: keyName, number } = tryVersion(name) ?? {
    parent: parseCryptoKey(name).name,
    number: undefined,
  };
  checkSize('plaintext', plaintext, MAX_BYTES);
  checkSize('additional_authenticated_data', aad, MAX_BYTES);
  const verifiedPlaintextCrc32c = verify('plaintext', plaintext, checksum(request.plaintextCrc32c));
  const verifiedAdditionalAuthenticatedDataCrc32c = verifyAad(request, aad);
  requirePermission(context, 'cloudkms.cryptoKeyVersions.useToEncrypt', keyName);

  const key = context.state.keys.cryptoKey(keyName);
  const version = versionToEncrypt(key, number, context.now);
  useQuota(context, version.protectionLevel, keyName);
  checkHsmSize('plaintext', version.protectionLevel, plaintext, aad);
  const ciphertext = encryptBytes(
    materialOf(version),
    Buffer.from(version.locator, 'base64'),
    plaintext,
    aad,
  );
  return {
    name: versionName(keyName, version.number),
    ciphertext,
    ciphertextCrc32c: { value: crc32c(ciphertext) },
    verifiedPlaintextCrc32c,
    verifiedAdditionalAuthenticatedDataCrc32c,
    protectionLevel: version.protectionLevel,
  };
};

export const decrypt: Handler<
  protos.google.cloud.kms.v1.IDecryptRequest,
  protos.google.cloud.kms.v1.IDecryptResponse
> = (request, context) => {
  const { name } = parseCryptoKey(text(request.name));
  const ciphertext = bytes(request.ciphertext);
  const aad = bytes(request.additionalAuthenticatedData);
  checkSize('ciphertext', ciphertext, MAX_CIPHERTEXT_BYTES);
  checkSize('additional_authenticated_data', aad, MAX_BYTES);
  verify('ciphertext', ciphertext, checksum(request.ciphertextCrc32c));
  verifyAad(request, aad);
  requirePermission(context, 'cloudkms.cryptoKeyVersions.useToDecrypt', name);

  const key = context.state.keys.cryptoKey(name);
  requirePurpose(key, 'ENCRYPT_DECRYPT');
  useQuota(context, key.template.protectionLevel, name);
  const parsed = parseCiphertext(ciphertext);
  if (parsed === undefined) throw invalidArgument('Decryption failed: the ciphertext is invalid.');
  const locator = parsed.locator.toString('base64');
  const known = key.versions.find((version) => version.locator === locator);
  if (known === undefined) throw wrongKey();
  const version = requireUsable(key, versionOf(key, known.number), context.now);
  const plaintext = decryptBytes(materialOf(version), parsed, aad);
  if (plaintext === undefined) throw wrongKey();
  return {
    plaintext,
    plaintextCrc32c: { value: crc32c(plaintext) },
    usedPrimary: effectivePrimary(key, context.now) === version,
    protectionLevel: version.protectionLevel,
  };
};

/** Returns 8 to 1,024 random bytes from an HSM (service.proto). */
export const generateRandomBytes: Handler<
  protos.google.cloud.kms.v1.IGenerateRandomBytesRequest,
  protos.google.cloud.kms.v1.IGenerateRandomBytesResponse
> = (request, context) => {
  const { name, project } = parseLocation(text(request.location));
  const length = request.lengthBytes ?? 0;
  if (length < 8 || length > 1024)
    throw invalidArgument('The field length_bytes must be between 8 and 1024.');
  if (enumName(request.protectionLevel) !== 'HSM') {
    throw unimplemented('GenerateRandomBytes supports the protection level HSM only.');
  }
  requirePermission(context, 'cloudkms.locations.generateRandomBytes', name);
  context.conditions.quotas.use('hsm', project, context.now);
  const data = randomBytes(length);
  return { data, dataCrc32c: { value: crc32c(data) } };
};

/**
 * Returns the error for a wrong key, a changed ciphertext or wrong additional data. The caller cannot
 * distinguish these causes.
 */
const wrongKey = () =>
  invalidArgument("Decryption failed: verify that 'name' refers to the correct CryptoKey.");

function checkHsmSize(field: string, level: ProtectionLevel, data: Uint8Array, aad: Uint8Array): void {
  if (level !== 'HSM' || data.length + aad.length <= MAX_HSM_BYTES) return;
  throw invalidArgument(
    `With HSM keys the fields ${field} and additional_authenticated_data together must be no larger than ${MAX_HSM_BYTES} bytes.`,
  );
}

const verifyAad = (
  request: { additionalAuthenticatedDataCrc32c?: protos.google.protobuf.IInt64Value | null },
  aad: Uint8Array,
): boolean =>
  verify('additional_authenticated_data', aad, checksum(request.additionalAuthenticatedDataCrc32c));

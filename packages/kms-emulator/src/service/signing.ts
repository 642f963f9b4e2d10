import type { protos } from '@google-cloud/kms';
import { createHash } from 'node:crypto';
import { crc32c } from '../crypto/crc32c.ts';
import { hashOf, publicKeyOf, signDigest, type Hash } from '../crypto/signatures.ts';
import { requirePurpose, requireUsable } from '../model/crypto-key.ts';
import { invalidArgument, KmsError, unimplemented } from '../model/errors.ts';
import type { KeyVersion } from '../model/key-version.ts';
import { permittedVersion, type Handler } from './context.ts';
import { bytes, checksum, enumName } from './fields.ts';
import { checkSize, materialOf, MAX_BYTES, useQuota, verify } from './key-use.ts';

type SignRequest = protos.google.cloud.kms.v1.IAsymmetricSignRequest;

/**
 * Like `protos.google.cloud.kms.v1.IPublicKey`, but with the algorithm's name, because `protos.ts` converts enums
 * to names.
 */
type PublicKeyMessage = Omit<protos.google.cloud.kms.v1.IPublicKey, 'algorithm'> & { algorithm: string };

/** Returns the public key in PEM, or in the field `public_key` if the request names a format. */
export const getPublicKey: Handler<protos.google.cloud.kms.v1.IGetPublicKeyRequest, PublicKeyMessage> = (
  request,
  context,
) => {
  const { key, version, name } = permittedVersion(
    context,
    'cloudkms.cryptoKeyVersions.viewPublicKey',
    request.name,
  );
  if (!key.purpose.startsWith('ASYMMETRIC_')) {
    throw new KmsError('FAILED_PRECONDITION', `${key.name} has purpose ${key.purpose} and no public key.`);
  }
  requireUsable(key, version, context.now);
  requireSupported(version);
  const publicKey = publicKeyOf(materialOf(version));
  const pem = String(publicKey.export({ type: 'spki', format: 'pem' }));
  const message = { name, algorithm: version.algorithm, protectionLevel: version.protectionLevel };
  const format = enumName(request.publicKeyFormat);
  switch (format) {
    case '':
    case 'PUBLIC_KEY_FORMAT_UNSPECIFIED':
      return { ...message, pem, pemCrc32c: { value: crc32c(Buffer.from(pem)) } };
    case 'PEM':
      return { ...message, publicKeyFormat: format, publicKey: checksummed(Buffer.from(pem)) };
    case 'DER': {
      const der = publicKey.export({ type: 'spki', format: 'der' });
      return { ...message, publicKeyFormat: format, publicKey: checksummed(der) };
    }
    default:
      throw invalidArgument(`The format ${format} is not valid for the algorithm ${version.algorithm}.`);
  }
};

/**
 * Signs the request's digest, or computes and signs the digest of the request's data. A request contains
 * either a digest or data (service.proto).
 */
export const asymmetricSign: Handler<SignRequest, protos.google.cloud.kms.v1.IAsymmetricSignResponse> = (
  request,
  context,
) => {
  const { key, version, name } = permittedVersion(
    context,
    'cloudkms.cryptoKeyVersions.useToSign',
    request.name,
  );
  requirePurpose(key, 'ASYMMETRIC_SIGN');
  requireUsable(key, version, context.now);
  const hash = requireSupported(version);
  useQuota(context, version.protectionLevel, key.name);
  const { digest, ...verified } = digestOf(request, hash);
  const signature = signDigest(version.algorithm, materialOf(version), digest);
  return {
    name,
    signature,
    signatureCrc32c: { value: crc32c(signature) },
    ...verified,
    protectionLevel: version.protectionLevel,
  };
};

/**
 * Returns the digest to sign, and which of the request's checksums were verified.
 * @throws KmsError INVALID_ARGUMENT
 */
function digestOf(request: SignRequest, hash: Hash) {
  const data = bytes(request.data);
  const digests = Object.entries(request.digest ?? {}).filter(([, value]) => bytes(value).length > 0);
  if (digests.length > 0 && data.length > 0)
    throw invalidArgument('Only one of the fields digest and data may be set.');
  if (digests.length === 0 && data.length === 0)
    throw invalidArgument('One of the fields digest and data is required.');
  checkSize('data', data, MAX_BYTES);
  const [given] = digests;
  if (given !== undefined && given[0] !== hash)
    throw invalidArgument(
      `The field digest.${given[0]} is set; the algorithm of the key needs digest.${hash}.`,
    );
  const digest = given === undefined ? createHash(hash).update(data).digest() : bytes(given[1]);
  const length = createHash(hash).digest().length;
  if (digest.length !== length)
    throw invalidArgument(`The field digest.${hash} must have ${length} bytes; it has ${digest.length}.`);
  const field = given === undefined ? 'data' : 'digest';
  const other = checksum(field === 'data' ? request.digestCrc32c : request.dataCrc32c);
  if (other !== undefined)
    throw invalidArgument(`The checksum belongs to a field that is not set; set ${field}_crc32c.`);
  return {
    digest,
    verifiedDigestCrc32c: field === 'digest' && verify(field, digest, checksum(request.digestCrc32c)),
    verifiedDataCrc32c: field === 'data' && verify(field, data, checksum(request.dataCrc32c)),
  };
}

function requireSupported({ algorithm }: KeyVersion): Hash {
  const hash = hashOf(algorithm);
  if (hash === undefined) throw unimplemented(`The emulator cannot sign with ${algorithm}.`);
  return hash;
}

const checksummed = (data: Buffer) => ({ data, crc32cChecksum: { value: crc32c(data) } });

import { p256, p384 } from '@noble/curves/nist.js';
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

/** The hashes of signing algorithms. The names are field names of `google.cloud.kms.v1.Digest`. */
export type Hash = 'sha256' | 'sha384' | 'sha512';

interface SigningAlgorithm {
  readonly hash: Hash;
  readonly generate: () => KeyObject;
  readonly sign: (key: KeyObject, digest: Uint8Array) => Uint8Array;
}

// Node can sign data, but not a digest that the caller has computed. Therefore, a library computes ECDSA
// signatures, and this code encodes the digest for RSA signatures itself.
const ecdsa = (curve: typeof p256, namedCurve: string, hash: Hash): SigningAlgorithm => ({
  hash,
  generate: () => generateKeyPairSync('ec', { namedCurve }).privateKey,
  sign: (key, digest) =>
    curve.sign(digest, Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'), {
      prehash: false,
      format: 'der',
      lowS: false,
    }),
});

const rsa = (bits: number, hash: Hash, sign: (hash: Hash) => SigningAlgorithm['sign']): SigningAlgorithm => ({
  hash,
  generate: () => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey,
  sign: sign(hash),
});

/**
 * The encoding of RSASSA-PKCS1-v1_5 (RFC 8017, 8.2): the DER encoding of the hash algorithm, followed by the
 * digest.
 */
const pkcs1 = (hash: Hash) => (key: KeyObject, digest: Uint8Array) =>
  privateEncrypt(
    { key, padding: constants.RSA_PKCS1_PADDING },
    Buffer.concat([Buffer.from(digestInfo[hash], 'hex'), digest]),
  );

const digestInfo: Readonly<Record<Hash, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

/** The encoding of RSASSA-PSS (RFC 8017, 8.1), with a salt that is as long as the digest, as in Cloud KMS. */
const pss = (hash: Hash) => (key: KeyObject, digest: Uint8Array) => {
  const bytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const salt = randomBytes(digest.length);
  const inner = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const block = Buffer.alloc(bytes - inner.length - 1);
  block[block.length - salt.length - 1] = 1;
  salt.copy(block, block.length - salt.length);
  const mask = mgf1(hash, inner, block.length);
  const masked = block.map((byte, index) => byte ^ (mask[index] ?? 0));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  const encoded = Buffer.concat([masked, inner, Buffer.of(0xbc)]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
};

function mgf1(hash: Hash, seed: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let size = 0; size < length; size += blocks.at(-1)?.length ?? length) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(blocks.length);
    blocks.push(createHash(hash).update(seed).update(counter).digest());
  }
  return Buffer.concat(blocks, length);
}

const algorithms = new Map<string, SigningAlgorithm>([
  ['EC_SIGN_P256_SHA256', ecdsa(p256, 'P-256', 'sha256')],
  ['EC_SIGN_P384_SHA384', ecdsa(p384, 'P-384', 'sha384')],
  ['RSA_SIGN_PSS_2048_SHA256', rsa(2048, 'sha256', pss)],
  ['RSA_SIGN_PSS_3072_SHA256', rsa(3072, 'sha256', pss)],
  ['RSA_SIGN_PSS_4096_SHA256', rsa(4096, 'sha256', pss)],
  ['RSA_SIGN_PSS_4096_SHA512', rsa(4096, 'sha512', pss)],
  ['RSA_SIGN_PKCS1_2048_SHA256', rsa(2048, 'sha256', pkcs1)],
  ['RSA_SIGN_PKCS1_3072_SHA256', rsa(3072, 'sha256', pkcs1)],
  ['RSA_SIGN_PKCS1_4096_SHA256', rsa(4096, 'sha256', pkcs1)],
  ['RSA_SIGN_PKCS1_4096_SHA512', rsa(4096, 'sha512', pkcs1)],
]);

/**
 * Returns a signing algorithm's hash function, or undefined if the emulator cannot sign with the algorithm.
 */
export const hashOf = (algorithm: string): Hash | undefined => algorithms.get(algorithm)?.hash;

/** Returns a new private key (PKCS #8, DER), or undefined if the emulator cannot sign with the algorithm. */
export const newSigningKey = (algorithm: string): Buffer | undefined =>
  algorithms.get(algorithm)?.generate().export({ type: 'pkcs8', format: 'der' });

/** Signs a digest. ECDSA signatures are in DER. RSA signatures are as long as the modulus. */
export function signDigest(algorithm: string, material: Buffer, digest: Uint8Array): Uint8Array {
  const known = algorithms.get(algorithm);
  if (known === undefined) throw new TypeError(`The emulator cannot sign with ${algorithm}.`);
  return known.sign(privateKey(material), digest);
}

/** Returns the public key of a private key from {@link newSigningKey}. */
export const publicKeyOf = (material: Buffer): KeyObject => createPublicKey(privateKey(material));

const privateKey = (key: Buffer): KeyObject => createPrivateKey({ key, format: 'der', type: 'pkcs8' });

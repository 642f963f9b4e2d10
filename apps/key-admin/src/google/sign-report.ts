import { createHash, createPublicKey, verify } from 'node:crypto';
import { CliError } from '../cli/cli-error.ts';
import type { GoogleClients } from './client.ts';

/** A JWS algorithm (RFC 7518, section 3.1), and how Cloud KMS signs with it. */
interface Algorithm {
  readonly alg: string;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** For ECDSA: the size in bytes of each of the signature's two integers. Cloud KMS returns the integers in DER. */
  readonly integerBytes?: number;
}

/** Each JWS algorithm, with a pattern for Cloud KMS's CryptoKeyVersionAlgorithm. */
const algorithms: readonly (readonly [RegExp, Algorithm])[] = [
  [/^EC_SIGN_P256_SHA256$/, { alg: 'ES256', hash: 'sha256', integerBytes: 32 }],
  [/^EC_SIGN_P384_SHA384$/, { alg: 'ES384', hash: 'sha384', integerBytes: 48 }],
  [/^RSA_SIGN_PKCS1_\d+_SHA256$/, { alg: 'RS256', hash: 'sha256' }],
  [/^RSA_SIGN_PKCS1_\d+_SHA512$/, { alg: 'RS512', hash: 'sha512' }],
  [/^RSA_SIGN_PSS_\d+_SHA256$/, { alg: 'PS256', hash: 'sha256' }],
  [/^RSA_SIGN_PSS_\d+_SHA512$/, { alg: 'PS512', hash: 'sha512' }],
];

/**
 * Signs a report with a signing key version of Cloud KMS. Returns a JWS in compact serialization (RFC 7515) whose header
 * names the key version (`kid`), and whose payload is the report as JSON.
 *
 * @param name resource name of the key version, `projects/…/cryptoKeyVersions/1`
 * @throws CliError if the version cannot sign, or its signature is not valid
 */
export async function signReport(
  { kms, read }: GoogleClients,
  name: string,
  report: object,
): Promise<string> {
  const key = name.replace(/\/cryptoKeyVersions\/\d+$/, '');
  if (key === name)
    throw new CliError('usage', `${name} is not the resource name of a key version, …/cryptoKeyVersions/1`);
  const purpose = { resource: key, role: 'roles/cloudkms.signerVerifier' };
  const [{ pem, algorithm }] = await read(purpose, (options) => kms.getPublicKey({ name }, options));
  const found = algorithms.find(([pattern]) => pattern.test(String(algorithm)))?.[1];
  if (found === undefined) {
    throw new CliError(
      'failed',
      `${name} has the algorithm ${String(algorithm)}; a JWS needs ECDSA on P-256 or P-384, or RSA`,
    );
  }
  const header = encode({ alg: found.alg, kid: name, typ: 'temporal-kms-may-destroy+json' });
  const input = `${header}.${encode(report)}`;
  const digest = { [found.hash]: createHash(found.hash).update(input).digest() };
  const [signed] = await read(purpose, (options) => kms.asymmetricSign({ name, digest }, options));
  const signature = Buffer.from(signed.signature ?? '');
  // Verifies the signature, because a response that was modified in transit must not become evidence.
  if (!isValid(input, signature, pem ?? '', found))
    throw new CliError('internal', `The signature of ${name} is not valid`);
  const bytes = found.integerBytes === undefined ? signature : joined(signature, found.integerBytes);
  return `${input}.${bytes.toString('base64url')}`;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function isValid(input: string, signature: Buffer, pem: string, { alg, hash }: Algorithm): boolean {
  const key = createPublicKey(pem);
  // With RSASSA-PSS, the salt is as long as the hash (RFC 7518, section 3.5).
  const pss = alg.startsWith('PS') ? { padding: 6, saltLength: -1 } : {};
  return verify(hash, Buffer.from(input), { key, ...pss }, signature);
}

/**
 * Returns the two integers of an ECDSA signature in DER, concatenated as JWS requires (RFC 7518, section
 * 3.4).
 */
function joined(der: Buffer, integerBytes: number): Buffer {
  let at = der[1] === 0x81 ? 3 : 2;
  const integers = [0, 1].map(() => {
    const length = der[at + 1] ?? 0;
    const integer = der.subarray(at + 2, at + 2 + length);
    at += 2 + length;
    const bytes = Buffer.alloc(integerBytes);
    const digits = integer.subarray(Math.max(0, integer.length - integerBytes));
    bytes.set(digits, integerBytes - digits.length);
    return bytes;
  });
  return Buffer.concat(integers);
}

import { constants, createHash, createPublicKey, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { crc32c } from '../../src/crypto/crc32c.ts';
import { asBuffer, refusal } from '../support/client.ts';
import { code, type CryptoKeyVersion, type Fixture } from './fixture.ts';

type Algorithm = NonNullable<CryptoKeyVersion['algorithm']>;

const data = Buffer.from('a report to sign');
const digestOf = (hash: string) => createHash(hash).update(data).digest();
const crc = (bytes: Uint8Array) => ({ value: crc32c(bytes) });

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
const PKCS1 = { padding: constants.RSA_PKCS1_PADDING };

/**
 * Tests of GetPublicKey and AsymmetricSign. These tests contain the assertions of Google's own contract tests
 * for Cloud KMS, and further assertions.
 */
export function signingTests(fixture: () => Fixture): void {
  signatureTests(fixture);
  publicKeyTests(fixture);
  refusalTests(fixture);
  stateTests(fixture);
}

/** Creates a signing key, waits until its version is enabled, and returns the version's name. */
async function createVersion(
  fixture: Fixture,
  algorithm: Algorithm = 'EC_SIGN_P256_SHA256',
  protectionLevel: 'SOFTWARE' | 'HSM' = 'SOFTWARE',
): Promise<string> {
  const key = await fixture.createEmptyKey({
    purpose: 'ASYMMETRIC_SIGN',
    versionTemplate: { algorithm, protectionLevel },
  });
  const { name } = await fixture.createVersion(key.name);
  for (let tries = 0; tries < 600; tries += 1) {
    const [{ state }] = await fixture.client.getCryptoKeyVersion({ name });
    if (state === 'ENABLED') return name;
    await sleep(200);
  }
  throw new Error(`${name} was not generated in time.`);
}

function signatureTests(fixture: () => Fixture): void {
  it.each([
    ['EC_SIGN_P256_SHA256', 'SOFTWARE', 'sha256', {}],
    ['EC_SIGN_P384_SHA384', 'HSM', 'sha384', {}],
    ['RSA_SIGN_PSS_2048_SHA256', 'SOFTWARE', 'sha256', PSS],
    ['RSA_SIGN_PSS_4096_SHA512', 'SOFTWARE', 'sha512', PSS],
    ['RSA_SIGN_PKCS1_3072_SHA256', 'SOFTWARE', 'sha256', PKCS1],
  ] as const)('makes %s signatures (%s) that OpenSSL can verify', async (algorithm, level, hash, options) => {
    const { client } = fixture();
    const name = await createVersion(fixture(), algorithm, level);
    const [{ pem }] = await client.getPublicKey({ name });
    const key = createPublicKey(pem ?? '');
    for (const request of [{ digest: { [hash]: digestOf(hash) } }, { data }]) {
      const [signed] = await client.asymmetricSign({ name, ...request });
      const signature = asBuffer(signed.signature);
      expect(signed).toMatchObject({
        name,
        protectionLevel: level,
        signatureCrc32c: { value: String(crc32c(signature)) },
        verifiedDigestCrc32c: false,
        verifiedDataCrc32c: false,
      });
      expect(verify(hash, data, { key, ...options }, signature)).toBe(true);
      expect(verify(hash, Buffer.from('another report'), { key, ...options }, signature)).toBe(false);
    }
  });

  it('verifies the checksum of a digest or of data', async () => {
    const { client } = fixture();
    const name = await createVersion(fixture());
    const sha256 = digestOf('sha256');
    const [byDigest] = await client.asymmetricSign({ name, digest: { sha256 }, digestCrc32c: crc(sha256) });
    expect(byDigest).toMatchObject({ verifiedDigestCrc32c: true, verifiedDataCrc32c: false });
    const [byData] = await client.asymmetricSign({ name, data, dataCrc32c: crc(data) });
    expect(byData).toMatchObject({ verifiedDigestCrc32c: false, verifiedDataCrc32c: true });
  });
}

function publicKeyTests(fixture: () => Fixture): void {
  it('returns a public key in PEM with its checksum, its name and its algorithm', async () => {
    const name = await createVersion(fixture());
    const [found] = await fixture().client.getPublicKey({ name });
    const pem = found.pem ?? '';
    expect(found).toMatchObject({
      name,
      algorithm: 'EC_SIGN_P256_SHA256',
      protectionLevel: 'SOFTWARE',
      pemCrc32c: { value: String(crc32c(Buffer.from(pem))) },
    });
    expect(createPublicKey(pem).asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    const [again] = await fixture().client.getPublicKey({ name });
    expect(again.pem).toBe(pem);
  });

  it('returns a public key in the format that the request names', async () => {
    const { client } = fixture();
    const name = await createVersion(fixture(), 'RSA_SIGN_PSS_2048_SHA256');
    const [{ pem }] = await client.getPublicKey({ name });
    const [der] = await client.getPublicKey({ name, publicKeyFormat: 'DER' });
    const bytes = asBuffer(der.publicKey?.data);
    expect(der).toMatchObject({
      publicKeyFormat: 'DER',
      publicKey: { crc32cChecksum: { value: String(crc32c(bytes)) } },
    });
    const key = createPublicKey({ key: bytes, format: 'der', type: 'spki' });
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(key.equals(createPublicKey(pem ?? ''))).toBe(true);
    const [text] = await client.getPublicKey({ name, publicKeyFormat: 'PEM' });
    expect(String(text.publicKey?.data)).toBe(pem);
  });

  it('returns no public key for a symmetric key, a malformed name or a missing version', async () => {
    const { client, ring } = fixture();
    const key = await fixture().createKey();
    const missing = `${ring}/cryptoKeys/none/cryptoKeyVersions/1`;
    const calls: [string, number][] = [
      [key.primary?.name ?? '', code.FAILED_PRECONDITION],
      ['malformed name', code.INVALID_ARGUMENT],
      [key.name, code.INVALID_ARGUMENT],
      [missing, code.NOT_FOUND],
    ];
    for (const [name, expected] of calls)
      expect(await refusal(client.getPublicKey({ name })), name).toMatchObject({ code: expected });
  });
}

function refusalTests(fixture: () => Fixture): void {
  it('refuses digests of another hash or length, requests with both a digest and data or with neither, and wrong checksums', async () => {
    const { client } = fixture();
    const name = await createVersion(fixture(), 'EC_SIGN_P384_SHA384');
    const sha256 = digestOf('sha256');
    const sha384 = digestOf('sha384');
    for (const [what, request] of Object.entries({
      'another hash': { digest: { sha256 } },
      'another length': { digest: { sha384: sha256 } },
      'both digest and data': { digest: { sha384 }, data },
      'neither digest nor data': {},
      'a wrong checksum of the digest': { digest: { sha384 }, digestCrc32c: { value: 1 } },
      'a wrong checksum of the data': { data, dataCrc32c: { value: 1 } },
      'more than 64 KiB of data': { data: Buffer.alloc(64 * 1024 + 1) },
    })) {
      const refused = await refusal(client.asymmetricSign({ name, ...request }));
      expect(refused, what).toMatchObject({ code: code.INVALID_ARGUMENT });
    }
  });

  it('refuses to sign with a malformed name, a missing version or a key that has another purpose', async () => {
    const { client, ring } = fixture();
    const key = await fixture().createKey();
    const calls: [string, number][] = [
      [key.primary?.name ?? '', code.FAILED_PRECONDITION],
      ['malformed name', code.INVALID_ARGUMENT],
      [`${ring}/cryptoKeys/none/cryptoKeyVersions/1`, code.NOT_FOUND],
    ];
    for (const [name, expected] of calls) {
      const refused = await refusal(client.asymmetricSign({ name, data }));
      expect(refused, name).toMatchObject({ code: expected });
    }
  });
}

function stateTests(fixture: () => Fixture): void {
  it('neither signs with a disabled version nor returns its public key until the version is enabled', async () => {
    const { client } = fixture();
    const name = await createVersion(fixture());
    const [before] = await client.getPublicKey({ name });
    await fixture().setState(name, 'DISABLED');
    for (const call of [() => client.asymmetricSign({ name, data }), () => client.getPublicKey({ name })]) {
      expect(await fixture().eventuallyRefused(call)).toMatchObject({
        code: code.FAILED_PRECONDITION,
        details: `${name} is not enabled, current state is: DISABLED.`,
        statusDetails: [{ violations: [{ type: 'KEY_DISABLED', subject: name }] }],
      });
    }
    await fixture().setState(name, 'ENABLED');
    const [after] = await client.getPublicKey({ name });
    expect(after.pem).toBe(before.pem);
    await expect(client.asymmetricSign({ name, data })).resolves.toBeDefined();
  });

  it('does not sign with a version that is scheduled for destruction', async () => {
    const { client } = fixture();
    const name = await createVersion(fixture());
    await client.destroyCryptoKeyVersion({ name });
    const refused = await fixture().eventuallyRefused(() => client.asymmetricSign({ name, data }));
    expect(refused).toMatchObject({
      code: code.FAILED_PRECONDITION,
      statusDetails: [{ violations: [{ type: 'KEY_DESTROY_SCHEDULED', subject: name }] }],
    });
  });
}

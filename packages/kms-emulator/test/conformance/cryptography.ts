import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { crc32c } from '../../src/crypto/crc32c.ts';
import { asBuffer, refusal, refusalCode } from '../support/client.ts';
import { code, expectInvalid, expectRefusals, type Fixture } from './fixture.ts';

const KIB = 1024;
const bytes = (text: string): Buffer => Buffer.from(text);
const crc = (data: Uint8Array) => ({ value: crc32c(data) });

/** Tests of Encrypt, Decrypt and GenerateRandomBytes. */
export function cryptographyTests(fixture: () => Fixture): void {
  roundTripTests(fixture);
  refusalTests(fixture);
  checksumTests(fixture);
  limitTests(fixture);
  stateTests(fixture);
  randomTests(fixture);
}

function roundTripTests(fixture: () => Fixture): void {
  it('decrypts its own ciphertext, and returns the name of the key version', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const plaintext = randomBytes(32);
    const [encrypted] = await client.encrypt({ name, plaintext });
    expect(encrypted).toMatchObject({ name: `${name}/cryptoKeyVersions/1`, protectionLevel: 'SOFTWARE' });
    const [decrypted] = await client.decrypt({ name, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(plaintext);
    expect(decrypted).toMatchObject({ usedPrimary: true, protectionLevel: 'SOFTWARE' });
  });

  it('encrypts an empty plaintext', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const [encrypted] = await client.encrypt({ name, plaintext: Buffer.alloc(0) });
    const [decrypted] = await client.decrypt({ name, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toHaveLength(0);
  });

  it('treats empty additional data as absent', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    const request = {
      name,
      ciphertext: encrypted.ciphertext ?? '',
      additionalAuthenticatedData: Buffer.alloc(0),
    };
    const [decrypted] = await client.decrypt(request);
    expect(asBuffer(decrypted.plaintext)).toEqual(bytes('x'));
  });

  it('encrypts with a named version, and decrypts without the version name', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    const second = await fixture().createVersion(key.name);
    const [encrypted] = await client.encrypt({ name: second.name, plaintext: bytes('x') });
    expect(encrypted.name).toBe(second.name);
    const [decrypted] = await client.decrypt({ name: key.name, ciphertext: encrypted.ciphertext ?? '' });
    expect(decrypted.usedPrimary).toBe(false);
  });

  it('encrypts with the new primary version after a rotation, and still decrypts older messages', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const [old] = await client.encrypt({ name, plaintext: bytes('old') });
    await fixture().createVersion(name);
    await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' });
    const [encrypted] = await fixture().eventually(
      () => client.encrypt({ name, plaintext: bytes('new') }),
      ([answer]) => answer.name === `${name}/cryptoKeyVersions/2`,
    );
    expect(encrypted.name).toBe(`${name}/cryptoKeyVersions/2`);
    const [decrypted] = await client.decrypt({ name, ciphertext: old.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(bytes('old'));
    expect(decrypted.usedPrimary).toBe(false);
  });
}

function refusalTests(fixture: () => Fixture): void {
  it('does not decrypt with the wrong key, wrong additional data or modified bytes', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const other = await fixture().createKey();
    const aad = bytes('context');
    const [encrypted] = await client.encrypt({
      name,
      plaintext: bytes('x'),
      additionalAuthenticatedData: aad,
    });
    const ciphertext = asBuffer(encrypted.ciphertext);
    const altered = Buffer.from(ciphertext);
    altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1);
    const decrypt = (changes: object) =>
      client.decrypt({ name, ciphertext, additionalAuthenticatedData: aad, ...changes });
    await expectInvalid({
      'another key': () => decrypt({ name: other.name }),
      'no additional data': () => decrypt({ additionalAuthenticatedData: Buffer.alloc(0) }),
      'other additional data': () => decrypt({ additionalAuthenticatedData: bytes('Context') }),
      'a flipped bit': () => decrypt({ ciphertext: altered }),
      'a missing last byte': () => decrypt({ ciphertext: ciphertext.subarray(0, -1) }),
      'an additional byte': () => decrypt({ ciphertext: Buffer.concat([ciphertext, Buffer.of(0)]) }),
      garbage: () => decrypt({ ciphertext: bytes('InvalidKMSData') }),
      nothing: () => decrypt({ ciphertext: Buffer.alloc(0) }),
    });
    const [decrypted] = await decrypt({});
    expect(asBuffer(decrypted.plaintext)).toEqual(bytes('x'));
  });

  it('names the key in the error for a wrong key, and the ciphertext in the error for garbage', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const other = await fixture().createKey();
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    expect(
      await refusal(client.decrypt({ name: other.name, ciphertext: encrypted.ciphertext ?? '' })),
    ).toMatchObject({ details: "Decryption failed: verify that 'name' refers to the correct CryptoKey." });
    expect(await refusal(client.decrypt({ name, ciphertext: bytes('InvalidKMSData') }))).toMatchObject({
      details: 'Decryption failed: the ciphertext is invalid.',
    });
  });

  it('refuses malformed names and Decrypt with a version name, and reports missing keys', async () => {
    const { client, ring } = fixture();
    const { name } = await fixture().createKey();
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    const ciphertext = encrypted.ciphertext ?? '';
    await expectRefusals({
      INVALID_ARGUMENT: [
        () => client.encrypt({ name: 'malformed name', plaintext: bytes('x') }),
        () => client.decrypt({ name: 'malformed name', ciphertext }),
        () => client.decrypt({ name: `${name}/cryptoKeyVersions/1`, ciphertext }),
      ],
      NOT_FOUND: [
        () => client.encrypt({ name: `${ring}/cryptoKeys/none`, plaintext: bytes('x') }),
        () => client.encrypt({ name: `${name}/cryptoKeyVersions/9`, plaintext: bytes('x') }),
        () => client.decrypt({ name: `${ring}/cryptoKeys/none`, ciphertext }),
      ],
    });
  });
}

function checksumTests(fixture: () => Fixture): void {
  it('verifies the checksums of requests, and adds checksums to responses', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const plaintext = randomBytes(100);
    const aad = bytes('context');
    const [encrypted] = await client.encrypt({
      name,
      plaintext,
      plaintextCrc32c: crc(plaintext),
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: crc(aad),
    });
    const ciphertext = asBuffer(encrypted.ciphertext);
    expect(encrypted).toMatchObject({
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      ciphertextCrc32c: { value: String(crc32c(ciphertext)) },
    });
    const [decrypted] = await client.decrypt({
      name,
      ciphertext,
      ciphertextCrc32c: crc(ciphertext),
      additionalAuthenticatedData: aad,
      additionalAuthenticatedDataCrc32c: crc(aad),
    });
    expect(decrypted.plaintextCrc32c).toEqual({ value: String(crc32c(plaintext)) });
  });

  it('reports that nothing was verified if the request has no checksum', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    expect(encrypted).toMatchObject({
      verifiedPlaintextCrc32c: false,
      verifiedAdditionalAuthenticatedDataCrc32c: false,
    });
  });

  it('refuses data that does not match its checksum, and names the data’s and the checksum’s fields in the error', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const wrong = { value: 1 };
    const data = bytes('x');
    const [encrypted] = await client.encrypt({ name, plaintext: data });
    const ciphertext = encrypted.ciphertext ?? '';
    const calls: [string, () => Promise<unknown>][] = [
      ['plaintext', () => client.encrypt({ name, plaintext: data, plaintextCrc32c: wrong })],
      [
        'additional_authenticated_data',
        () => client.encrypt({ name, plaintext: data, additionalAuthenticatedDataCrc32c: wrong }),
      ],
      ['ciphertext', () => client.decrypt({ name, ciphertext, ciphertextCrc32c: wrong })],
      [
        'additional_authenticated_data',
        () => client.decrypt({ name, ciphertext, additionalAuthenticatedDataCrc32c: wrong }),
      ],
    ];
    for (const [field, call] of calls) {
      expect(await refusal(call())).toMatchObject({
        code: code.INVALID_ARGUMENT,
        details: `The checksum in field ${field}_crc32c did not match the data in field ${field}.`,
      });
    }
  });
}

function limitTests(fixture: () => Fixture): void {
  it('accepts at most 64 KiB of plaintext and 64 KiB of additional data', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const full = randomBytes(64 * KIB);
    const [encrypted] = await client.encrypt({ name, plaintext: full, additionalAuthenticatedData: full });
    const [decrypted] = await client.decrypt({
      name,
      ciphertext: encrypted.ciphertext ?? '',
      additionalAuthenticatedData: full,
    });
    expect(asBuffer(decrypted.plaintext)).toEqual(full);
    const over = randomBytes(64 * KIB + 1);
    for (const request of [{ plaintext: over }, { plaintext: full, additionalAuthenticatedData: over }]) {
      expect(await refusalCode(client.encrypt({ name, ...request }))).toBe(code.INVALID_ARGUMENT);
    }
  });

  it('with an HSM key, accepts at most 8 KiB of plaintext and additional data together', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey({
      versionTemplate: { protectionLevel: 'HSM', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
    });
    const request = {
      name,
      plaintext: randomBytes(6 * KIB),
      additionalAuthenticatedData: randomBytes(2 * KIB),
    };
    const [encrypted] = await client.encrypt(request);
    expect(encrypted.protectionLevel).toBe('HSM');
    const over = { ...request, plaintext: randomBytes(6 * KIB + 1) };
    expect(await refusalCode(client.encrypt(over))).toBe(code.INVALID_ARGUMENT);
  });
}

function stateTests(fixture: () => Fixture): void {
  it('neither encrypts nor decrypts with a disabled version until it is enabled', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const version = `${name}/cryptoKeyVersions/1`;
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    await fixture().setState(version, 'DISABLED');
    const expected = {
      code: code.FAILED_PRECONDITION,
      details: `${version} is not enabled, current state is: DISABLED.`,
      statusDetails: [{ violations: [{ type: 'KEY_DISABLED', subject: version }] }],
    };
    const encrypt = () => client.encrypt({ name, plaintext: bytes('x') });
    const decrypt = () => client.decrypt({ name, ciphertext: encrypted.ciphertext ?? '' });
    expect(await fixture().eventuallyRefused(encrypt)).toMatchObject(expected);
    expect(await fixture().eventuallyRefused(decrypt)).toMatchObject(expected);
    await fixture().setState(version, 'ENABLED');
    const [decrypted] = await decrypt();
    expect(asBuffer(decrypted.plaintext)).toEqual(bytes('x'));
  });

  it('does not decrypt with a version that is scheduled for destruction', async () => {
    const { client } = fixture();
    const { name } = await fixture().createKey();
    const version = `${name}/cryptoKeyVersions/1`;
    const [encrypted] = await client.encrypt({ name, plaintext: bytes('x') });
    await client.destroyCryptoKeyVersion({ name: version });
    const decrypt = () => client.decrypt({ name, ciphertext: encrypted.ciphertext ?? '' });
    expect(await fixture().eventuallyRefused(decrypt)).toMatchObject({
      code: code.FAILED_PRECONDITION,
      statusDetails: [{ violations: [{ type: 'KEY_DESTROY_SCHEDULED', subject: version }] }],
    });
  });

  it('decrypts messages under another version while the primary version is disabled', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    const second = await fixture().createVersion(key.name);
    const [encrypted] = await client.encrypt({ name: second.name, plaintext: bytes('x') });
    await fixture().setState(`${key.name}/cryptoKeyVersions/1`, 'DISABLED');
    const [decrypted] = await client.decrypt({ name: key.name, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(bytes('x'));
  });

  it('does not encrypt without a primary version, or with a key that has another purpose', async () => {
    const { client } = fixture();
    const empty = await fixture().createEmptyKey();
    const raw = await fixture().createKey({
      purpose: 'RAW_ENCRYPT_DECRYPT',
      versionTemplate: { algorithm: 'AES_256_GCM' },
    });
    for (const { name } of [empty, raw]) {
      expect(await refusalCode(client.encrypt({ name, plaintext: bytes('x') }))).toBe(
        code.FAILED_PRECONDITION,
      );
    }
  });
}

function randomTests(fixture: () => Fixture): void {
  it('returns random bytes from an HSM with their checksum', async () => {
    const { client, service } = fixture();
    const request = { location: service.location, lengthBytes: 32, protectionLevel: 'HSM' as const };
    const [random] = await client.generateRandomBytes(request);
    const data = asBuffer(random.data);
    expect(data).toHaveLength(32);
    expect(data).not.toEqual(Buffer.alloc(32));
    expect(random.dataCrc32c).toEqual({ value: String(crc32c(data)) });
  });

  it('refuses GenerateRandomBytes with a malformed location, a wrong length or the software level', async () => {
    const { client, service } = fixture();
    const random = (changes: object) =>
      client.generateRandomBytes({
        location: service.location,
        lengthBytes: 32,
        protectionLevel: 'HSM',
        ...changes,
      });
    await expectRefusals({
      INVALID_ARGUMENT: [
        () => random({ location: 'malformed location' }),
        () => random({ lengthBytes: 7 }),
        () => random({ lengthBytes: 1025 }),
      ],
      UNIMPLEMENTED: [() => random({ protectionLevel: 'SOFTWARE' })],
    });
  });
}

import { expect, it } from 'vitest';
import { refusal, refusalCode } from '../support/client.ts';
import { code, expectInvalid, expectRefusals, randomId, secondsOf, type Fixture } from './fixture.ts';

const inOrder = (names: readonly (string | null | undefined)[]) =>
  [...names].toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1));

/**
 * Tests of key rings and keys. These tests contain the assertions of Google's contract tests for Cloud KMS,
 * and tests of rotation schedules.
 */
export function resourceTests(fixture: () => Fixture): void {
  keyRingTests(fixture);
  creationTests(fixture);
  updateTests(fixture);
}

function keyRingTests(fixture: () => Fixture): void {
  it('returns a key ring by its name', async () => {
    const { client, ring } = fixture();
    const [found] = await client.getKeyRing({ name: ring });
    expect(found.name).toBe(ring);
    expect(secondsOf(found.createTime)).toBeGreaterThan(0);
  });

  it('lists key rings in alphabetical order', async () => {
    const { client, service } = fixture();
    const [rings] = await client.listKeyRings({ parent: service.location });
    const names = rings.map(({ name }) => name);
    expect(names).toContain(fixture().ring);
    expect(names).toEqual(inOrder(names));
  });

  it('refuses a second key ring with the same name', async () => {
    const { client, service } = fixture();
    const id = fixture().ring.split('/').at(-1) ?? '';
    const refused = await refusal(
      client.createKeyRing({ parent: service.location, keyRingId: id, keyRing: {} }),
    );
    expect(refused).toMatchObject({
      code: code.ALREADY_EXISTS,
      details: `KeyRing ${fixture().ring} already exists.`,
    });
  });

  it('refuses malformed names and ids of key rings, and a missing key ring', async () => {
    const { client, service } = fixture();
    await expectRefusals({
      INVALID_ARGUMENT: [
        () => client.createKeyRing({ parent: 'locations/foo', keyRingId: 'bar', keyRing: {} }),
        () => client.createKeyRing({ parent: service.location, keyRingId: '&bar', keyRing: {} }),
        () => client.getKeyRing({ name: 'malformed name' }),
        () => client.listKeyRings({ parent: 'locations/foo' }),
      ],
      NOT_FOUND: [() => client.getKeyRing({ name: `${service.location}/keyRings/${randomId()}` })],
    });
  });
}

function creationTests(fixture: () => Fixture): void {
  it('creates a key with default settings and a first version that is enabled and primary', async () => {
    const before = Math.floor(Date.now() / 1000) - 60;
    const key = await fixture().createKey();
    expect(key).toMatchObject({
      purpose: 'ENCRYPT_DECRYPT',
      versionTemplate: { protectionLevel: 'SOFTWARE', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
      destroyScheduledDuration: { seconds: '2592000' },
      importOnly: false,
      nextRotationTime: null,
      primary: {
        name: `${key.name}/cryptoKeyVersions/1`,
        state: 'ENABLED',
        protectionLevel: 'SOFTWARE',
        algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
        destroyTime: null,
      },
    });
    expect(secondsOf(key.createTime)).toBeGreaterThan(before);
    expect(secondsOf(key.primary?.generateTime)).toBeGreaterThan(before);
  });

  it.each([
    ['ENCRYPT_DECRYPT', 'GOOGLE_SYMMETRIC_ENCRYPTION', 'SOFTWARE'],
    ['ENCRYPT_DECRYPT', 'GOOGLE_SYMMETRIC_ENCRYPTION', 'HSM'],
    ['ASYMMETRIC_SIGN', 'EC_SIGN_P256_SHA256', 'HSM'],
    ['ASYMMETRIC_SIGN', 'RSA_SIGN_PSS_4096_SHA512', 'SOFTWARE'],
    ['ASYMMETRIC_DECRYPT', 'RSA_DECRYPT_OAEP_2048_SHA256', 'SOFTWARE'],
    ['RAW_ENCRYPT_DECRYPT', 'AES_256_GCM', 'SOFTWARE'],
    ['MAC', 'HMAC_SHA256', 'SOFTWARE'],
  ] as const)(
    'creates a key of purpose %s with the algorithm %s and the protection level %s, without a version',
    async (purpose, algorithm, level) => {
      const key = await fixture().createEmptyKey({
        purpose,
        versionTemplate: { algorithm, protectionLevel: level },
      });
      expect(key).toMatchObject({
        purpose,
        primary: null,
        versionTemplate: { algorithm, protectionLevel: level },
      });
      const [found] = await fixture().client.getCryptoKey({ name: key.name });
      expect(found).toMatchObject(key);
    },
  );

  it('lists keys in alphabetical order', async () => {
    const { client, ring } = fixture();
    const first = await fixture().createEmptyKey();
    const second = await fixture().createEmptyKey();
    const [keys] = await client.listCryptoKeys({ parent: ring });
    const names = keys.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([first.name, second.name]));
    expect(names).toEqual(inOrder(names));
  });

  it('refuses invalid keys', async () => {
    const { client, ring } = fixture();
    const create = (cryptoKey: object, changes: object = {}) =>
      client.createCryptoKey({
        parent: ring,
        cryptoKeyId: randomId(),
        skipInitialVersionCreation: true,
        cryptoKey,
        ...changes,
      });
    const purpose = 'ENCRYPT_DECRYPT';
    await expectInvalid({
      'a malformed parent': () => create({ purpose }, { parent: 'locations/foo' }),
      'a malformed id': () => create({ purpose }, { cryptoKeyId: '&bar' }),
      'an id of 64 characters': () => create({ purpose }, { cryptoKeyId: 'a'.repeat(64) }),
      'no purpose': () => create({}),
      'signing without an algorithm': () => create({ purpose: 'ASYMMETRIC_SIGN' }),
      'asymmetric decryption without an algorithm': () => create({ purpose: 'ASYMMETRIC_DECRYPT' }),
      'an algorithm of another purpose': () =>
        create({ purpose, versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } }),
    });
  });

  it('refuses a second key with the same name, and reports a missing key', async () => {
    const { client, ring } = fixture();
    const key = await fixture().createEmptyKey();
    const again = client.createCryptoKey({
      parent: ring,
      cryptoKeyId: key.name.split('/').at(-1) ?? '',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
      skipInitialVersionCreation: true,
    });
    expect(await refusalCode(again)).toBe(code.ALREADY_EXISTS);
    const missing = `${ring}/cryptoKeys/${randomId()}`;
    expect(await refusal(client.getCryptoKey({ name: missing }))).toMatchObject({
      code: code.NOT_FOUND,
      details: `CryptoKey ${missing} not found.`,
    });
    expect(await refusalCode(client.getCryptoKey({ name: 'malformed name' }))).toBe(code.INVALID_ARGUMENT);
    expect(await refusalCode(client.listCryptoKeys({ parent: 'locations/foo' }))).toBe(code.INVALID_ARGUMENT);
  });

  it('refuses invalid rotation schedules', async () => {
    const { client, ring } = fixture();
    const now = Math.floor(Date.now() / 1000);
    const create = (cryptoKey: object) =>
      client.createCryptoKey({
        parent: ring,
        cryptoKeyId: randomId(),
        cryptoKey,
        skipInitialVersionCreation: true,
      });
    const purpose = 'ENCRYPT_DECRYPT';
    const day = { seconds: 86_400 };
    const tomorrow = { seconds: now + 86_400 };
    await expectInvalid({
      'a period without a next time': () => create({ purpose, rotationPeriod: day }),
      'a period under 24 hours': () =>
        create({ purpose, rotationPeriod: { seconds: 86_399 }, nextRotationTime: tomorrow }),
      'a next time in the past': () =>
        create({ purpose, rotationPeriod: day, nextRotationTime: { seconds: now - 60 } }),
      'a purpose that has no rotation': () =>
        create({
          purpose: 'MAC',
          versionTemplate: { algorithm: 'HMAC_SHA256' },
          rotationPeriod: day,
          nextRotationTime: tomorrow,
        }),
    });
  });
}

function updateTests(fixture: () => Fixture): void {
  it('changes only the fields that the mask names', async () => {
    const { client } = fixture();
    const key = await fixture().createEmptyKey({ labels: { team: 'payments' } });
    const next = { seconds: Math.floor(Date.now() / 1000) + 7 * 86_400 };
    const [updated] = await client.updateCryptoKey({
      cryptoKey: {
        name: key.name,
        labels: { team: 'other' },
        rotationPeriod: { seconds: 86_400 },
        nextRotationTime: next,
      },
      updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
    });
    expect(updated).toMatchObject({ labels: { team: 'payments' }, rotationPeriod: { seconds: '86400' } });
    expect(secondsOf(updated.nextRotationTime)).toBe(next.seconds);

    const [without] = await client.updateCryptoKey({
      cryptoKey: { name: key.name },
      updateMask: { paths: ['rotation_period', 'next_rotation_time', 'labels'] },
    });
    expect(without).toMatchObject({ labels: {}, nextRotationTime: null });
    expect(without.rotationPeriod ?? null).toBeNull();
  });

  it('changes the algorithm of later versions to another algorithm with the same purpose', async () => {
    const { client } = fixture();
    const key = await fixture().createEmptyKey({
      purpose: 'ASYMMETRIC_SIGN',
      versionTemplate: { algorithm: 'RSA_SIGN_PSS_2048_SHA256' },
    });
    const [updated] = await client.updateCryptoKey({
      cryptoKey: { name: key.name, versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } },
      updateMask: { paths: ['version_template.algorithm'] },
    });
    expect(updated.versionTemplate?.algorithm).toBe('EC_SIGN_P256_SHA256');
  });

  it('refuses updates without a mask, updates of the name or the purpose, and updates to an algorithm of another purpose', async () => {
    const { client } = fixture();
    const { name } = await fixture().createEmptyKey();
    await expectInvalid({
      'no mask': () => client.updateCryptoKey({ cryptoKey: { name } }),
      'the name': () => client.updateCryptoKey({ cryptoKey: { name }, updateMask: { paths: ['name'] } }),
      'the purpose': () =>
        client.updateCryptoKey({ cryptoKey: { name }, updateMask: { paths: ['purpose'] } }),
      'a signing algorithm': () =>
        client.updateCryptoKey({
          cryptoKey: { name, versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } },
          updateMask: { paths: ['version_template.algorithm'] },
        }),
    });
  });
}

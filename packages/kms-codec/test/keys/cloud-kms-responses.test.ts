import { beforeEach, describe, expect, it } from 'vitest';
import { CloudKms } from '../../src/index.ts';
import { cryptoKey } from '../support/codec.ts';
import { scriptedClient } from '../support/scripted-client.ts';

/* Tests what `CloudKms` sends to Google's client, and which responses it accepts. */

const key = cryptoKey('k');
const none = new Uint8Array();
const aad = Buffer.from('bound');
/** The bytes whose CRC32C is the check value of CRC-32/ISCSI (https://reveng.sourceforge.io/crc-catalogue/all.htm). */
const bytes = Buffer.from('123456789');
const crc32c = { value: 0xe3_06_92_83 };
const aadCrc32c = { value: 0x35_69_65_06 };
const damaged = { code: 'checksum_mismatch', key, retryable: true };

let client: ReturnType<typeof scriptedClient>;
let kms: CloudKms;
beforeEach(() => {
  client = scriptedClient();
  kms = new CloudKms();
});

describe('CloudKms.wrap', () => {
  const wrap = () => kms.wrap({ key, plaintext: bytes, aad });
  const response = {
    name: `${key}/cryptoKeyVersions/12`,
    ciphertext: bytes,
    ciphertextCrc32c: crc32c,
    verifiedPlaintextCrc32c: true,
    verifiedAdditionalAuthenticatedDataCrc32c: true,
    protectionLevel: 'HSM',
  };

  it('sends both checksums, and returns the key version and its protection level', async () => {
    client.encrypt.mockResolvedValue([response]);
    expect(await wrap()).toEqual({ ciphertext: bytes, keyVersion: 12, protectionLevel: 'HSM' });
    expect(client.encrypt).toHaveBeenCalledExactlyOnceWith(
      {
        name: key,
        plaintext: bytes,
        plaintextCrc32c: crc32c,
        additionalAuthenticatedData: aad,
        additionalAuthenticatedDataCrc32c: aadCrc32c,
      },
      { timeout: 3_000, retry: null },
    );
  });

  it('does not require that Cloud KMS verifies a checksum of additional authenticated data if it sends no such data', async () => {
    client.encrypt.mockResolvedValue([{ ...response, verifiedAdditionalAuthenticatedDataCrc32c: false }]);
    await expect(kms.wrap({ key, plaintext: bytes, aad: none })).resolves.toMatchObject({ keyVersion: 12 });
    expect(client.encrypt.mock.lastCall?.[0]).toEqual({
      name: key,
      plaintext: bytes,
      plaintextCrc32c: crc32c,
    });
  });

  it.each([
    ['does not confirm the plaintext’s checksum', { verifiedPlaintextCrc32c: false }],
    [
      'does not confirm the checksum of the additional authenticated data',
      { verifiedAdditionalAuthenticatedDataCrc32c: false },
    ],
    ['contains no checksum', { ciphertextCrc32c: null }],
    ['contains another ciphertext’s checksum', { ciphertextCrc32c: { value: 1 } }],
    ['contains no ciphertext', { ciphertext: null }],
    ['names another key', { name: `${cryptoKey('other')}/cryptoKeyVersions/12` }],
    ['names a key without a version', { name: key }],
    ['names a version that is not a number', { name: `${key}/cryptoKeyVersions/12x` }],
    ['names no key', { name: null }],
  ])('throws checksum_mismatch if the response %s', async (_, over) => {
    client.encrypt.mockResolvedValue([{ ...response, ...over }]);
    await expect(wrap()).rejects.toMatchObject(damaged);
  });
});

describe('CloudKms.unwrap', () => {
  const unwrap = () => kms.unwrap({ key, ciphertext: bytes, aad });

  it.each([
    ['bytes', bytes],
    ['base64, which the types of Google’s client allow', bytes.toString('base64')],
  ])(
    'sends both checksums, and returns a plaintext that the response contains as %s',
    async (_, plaintext) => {
      client.decrypt.mockResolvedValue([{ plaintext, plaintextCrc32c: crc32c }]);
      expect(await unwrap()).toEqual(bytes);
      expect(client.decrypt).toHaveBeenCalledExactlyOnceWith(
        {
          name: key,
          ciphertext: bytes,
          ciphertextCrc32c: crc32c,
          additionalAuthenticatedData: aad,
          additionalAuthenticatedDataCrc32c: aadCrc32c,
        },
        { timeout: 3_000, retry: null },
      );
    },
  );

  it('accepts a response that omits an empty plaintext', async () => {
    client.decrypt.mockResolvedValue([{ plaintextCrc32c: { value: 0 } }]);
    expect(await unwrap()).toHaveLength(0);
  });

  it.each([
    ['contains no checksum', { plaintextCrc32c: null }],
    ['contains another plaintext’s checksum', { plaintextCrc32c: { value: 1 } }],
  ])('wipes the plaintext and throws checksum_mismatch if the response %s', async (_, over) => {
    const plaintext = Buffer.from(bytes);
    client.decrypt.mockResolvedValue([{ plaintext, ...over }]);
    await expect(unwrap()).rejects.toMatchObject(damaged);
    expect(plaintext).toEqual(Buffer.alloc(bytes.length));
  });
});

describe('CloudKms.describe', () => {
  it('returns the key’s rotation schedule, and the times of its versions', async () => {
    client.getCryptoKey.mockResolvedValue([
      {
        name: key,
        primary: { name: `${key}/cryptoKeyVersions/12` },
        versionTemplate: { protectionLevel: 'HSM' },
        rotationPeriod: { seconds: '7776000' },
        nextRotationTime: { seconds: '1800000000', nanos: 5_000_000 },
      },
    ]);
    const imported = { importTime: { seconds: 3 }, generateTime: { seconds: 2 } };
    const common = { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'HSM' };
    client.listCryptoKeyVersions.mockResolvedValue([
      [
        {
          ...common,
          ...imported,
          name: `${key}/cryptoKeyVersions/11`,
          state: 'DESTROY_SCHEDULED',
          createTime: { seconds: 1 },
          destroyTime: { seconds: 4, nanos: null },
        },
        { ...common, name: `${key}/cryptoKeyVersions/12`, state: 'ENABLED', generateTime: { seconds: 5 } },
        {
          ...common,
          name: `${key}/cryptoKeyVersions/10`,
          state: 'DESTROYED',
          generateTime: { seconds: 1 },
          destroyEventTime: { seconds: 2 },
        },
      ],
    ]);
    expect(await kms.describe(key)).toEqual({
      key,
      name: key,
      primary: 12,
      protectionLevel: 'HSM',
      rotationPeriodSeconds: 7_776_000,
      nextRotation: new Date(1_800_000_000_005),
      versions: [
        {
          ...common,
          version: 11,
          state: 'DESTROY_SCHEDULED',
          created: new Date(1_000),
          generated: new Date(3_000),
          destroyTime: new Date(4_000),
        },
        {
          ...common,
          version: 12,
          state: 'ENABLED',
          created: undefined,
          generated: new Date(5_000),
          destroyTime: undefined,
        },
        {
          ...common,
          version: 10,
          state: 'DESTROYED',
          created: undefined,
          generated: new Date(1_000),
          destroyTime: new Date(2_000),
        },
      ],
    });
    expect(client.getCryptoKey.mock.lastCall?.[0]).toEqual({ name: key });
    expect(client.listCryptoKeyVersions.mock.lastCall?.[0]).toEqual({ parent: key });
  });

  it('accepts responses that omit all optional fields', async () => {
    client.getCryptoKey.mockResolvedValue([{ name: null }]);
    client.listCryptoKeyVersions.mockResolvedValue([
      [{ name: `${key}/cryptoKeyVersions/1`, state: 'ENABLED' }],
    ]);
    expect(await kms.describe(key)).toEqual({ key, versions: [{ version: 1, state: 'ENABLED' }] });
    client.getCryptoKey.mockResolvedValue([{ versionTemplate: {} }]);
    expect(await kms.describe(key)).toMatchObject({ protectionLevel: undefined });
  });
});

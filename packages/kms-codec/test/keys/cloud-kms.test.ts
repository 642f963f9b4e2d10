import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CloudKms, type KmsCall, type ReasonCode } from '../../src/index.ts';
import { emulatorOptions, emulatorProblem } from '../../src/keys/emulator-options.ts';
import { cryptoKey } from '../support/codec.ts';

/* Tests Google's unmodified client over gRPC, with the emulator. */

const key = cryptoKey('k');
const aad = Buffer.from('bound');
const plaintext = randomBytes(32);
const worker = 'worker@p.iam.gserviceaccount.com';
const reader = 'reader@p.iam.gserviceaccount.com';
const calls: KmsCall[] = [];
let emulator: Emulator;
let kms: CloudKms;
const open: CloudKms[] = [];
it.each([
  'kms.example.com:443',
  '10.0.0.1:9061',
  '0.0.0.0:9061',
  'localhost',
  'localhost:99999',
  'localhost:1.example.com',
  'localhost:1@example.com',
  'not-localhost:1',
  '127.0.0.1.example.com:1',
  '127.0.0.300:1',
  '[::2]:1',
])('refuses an emulator that is not on loopback: %s', (emulatorHost) => {
  expect(() => new CloudKms({ emulatorHost })).toThrow(/loopback/);
});

it.each(['localhost:9061', '127.0.0.1:9061', '127.255.12.3:80', '[::1]:9061'])(
  'accepts an emulator on loopback: %s',
  (emulatorHost) => {
    expect(emulatorProblem(emulatorHost, {})).toBeUndefined();
  },
);

it('refuses an emulator in production, unless the environment allows it', async () => {
  vi.stubEnv('NODE_ENV', 'production');
  expect(() => new CloudKms({ emulatorHost: '127.0.0.1:1' })).toThrow(/KMS_EMULATOR_IN_PRODUCTION/);
  vi.stubEnv('KMS_EMULATOR_IN_PRODUCTION', '1');
  await new CloudKms({ emulatorHost: '127.0.0.1:1' }).close();
  vi.unstubAllEnvs();
});

const connect = (emulatorHost: string, attemptTimeoutMs = 30_000) => {
  const one = new CloudKms({
    emulatorHost,
    attemptTimeoutMs,
    observer: { kmsCall: (call) => calls.push(call) },
  });
  open.push(one);
  return one;
};

beforeAll(async () => {
  emulator = await startEmulator({
    keys: [key, cryptoKey('other')],
    identities: { [worker]: 0, [reader]: 0 },
  });
  kms = connect(emulator.address);
});
afterEach(() => {
  emulator.reset();
  calls.length = 0;
});
afterAll(async () => {
  await Promise.all(open.map((one) => one.close()));
  await emulator.close();
});

describe('CloudKms', () => {
  it('returns the key version from wrap, and the original plaintext from unwrap', async () => {
    const wrapped = await kms.wrap({ key, plaintext, aad });
    expect(wrapped).toMatchObject({ keyVersion: 1, protectionLevel: 'SOFTWARE' });
    expect(
      Buffer.from(await kms.unwrap({ key, ciphertext: wrapped.ciphertext, aad })).equals(plaintext),
    ).toBe(true);
    expect(calls.map(({ operation, code }) => [operation, code])).toEqual([
      ['wrap', undefined],
      ['unwrap', undefined],
    ]);
  });

  it('accepts an empty plaintext', async () => {
    const none = new Uint8Array();
    const { ciphertext } = await kms.wrap({ key, plaintext: none, aad: none });
    expect(await kms.unwrap({ key, ciphertext, aad: none })).toHaveLength(0);
  });

  it.each([
    ['other additional authenticated data', { aad: Buffer.from('other') }],
    ['another key', { key: cryptoKey('other') }],
  ])('fails with integrity_failed after one retry if unwrap is called with %s', async (_, over) => {
    const { ciphertext } = await kms.wrap({ key, plaintext, aad });
    emulator.calls.reset();
    await expect(kms.unwrap({ key, ciphertext, aad, ...over })).rejects.toMatchObject({
      code: 'integrity_failed',
    });
    expect(emulator.calls.count('Decrypt')).toBe(2);
    expect(calls.at(-1)).toMatchObject({ operation: 'unwrap', requests: 2 });
  });
});

describe('CloudKms with damage in transit', () => {
  it.each(['Encrypt', 'Decrypt'])(
    'reports checksum_mismatch, which is retryable, if the response to %s was damaged',
    async (method) => {
      const { ciphertext } = await kms.wrap({ key, plaintext, aad });
      emulator.injectFault({ effect: { kind: 'corrupt_response' }, method, times: 1 });
      const call =
        method === 'Encrypt' ? kms.wrap({ key, plaintext, aad }) : kms.unwrap({ key, ciphertext, aad });
      await expect(call).rejects.toMatchObject({ code: 'checksum_mismatch', retryable: true });
    },
  );

  it('reports checksum_mismatch if Cloud KMS did not receive a request’s checksums', async () => {
    emulator.injectFault({ effect: { kind: 'drop_checksums' }, method: 'Encrypt', times: 1 });
    await expect(kms.wrap({ key, plaintext, aad })).rejects.toMatchObject({ code: 'checksum_mismatch' });
  });
});

describe('CloudKms with a key version that cannot be used', () => {
  it.each([
    ['DISABLED', 'key_disabled'],
    ['DESTROY_SCHEDULED', 'key_destroy_scheduled'],
    ['DESTROYED', 'key_destroyed'],
  ] as const)('reports the state %s as %s if the caller may read the state', async (state, code) => {
    const name = cryptoKey(`state-${state.toLowerCase()}`);
    const own = await startEmulator({ keys: [name] });
    const client = connect(own.address);
    const { ciphertext } = await client.wrap({ key: name, plaintext, aad });
    await own.setVersionState(`${name}/cryptoKeyVersions/1`, state);
    await expect(client.unwrap({ key: name, ciphertext, aad, keyVersion: 1 })).rejects.toMatchObject({
      code,
      keyVersion: 1,
    });
    await own.close();
  });

  it('reports key_destroyed if the caller may read the version’s state through a grant on the key alone', async () => {
    const name = cryptoKey('viewed');
    const own = await startEmulator({ keys: [name], identities: { [reader]: 0 } });
    const members = [`serviceAccount:${reader}`];
    await own.setPolicy(name, [
      { role: 'roles/cloudkms.cryptoKeyDecrypter', members },
      { role: 'roles/cloudkms.viewer', members },
    ]);
    const { ciphertext } = await connect(own.address).wrap({ key: name, plaintext, aad });
    await own.setVersionState(`${name}/cryptoKeyVersions/1`, 'DESTROYED');
    await expect(
      connect(own.identities[reader]!).unwrap({ key: name, ciphertext, aad, keyVersion: 1 }),
    ).rejects.toMatchObject({ code: 'key_destroyed', class: 'permanent' });
    await own.close();
  });

  it('reports the version that Cloud KMS refuses, whatever version the message names', async () => {
    const name = cryptoKey('claimed');
    const own = await startEmulator({ keys: [name] });
    const client = connect(own.address);
    const { ciphertext } = await client.wrap({ key: name, plaintext, aad });
    await own.rotate(name);
    await own.rotate(name);
    await own.setVersionState(`${name}/cryptoKeyVersions/1`, 'DISABLED');
    await own.setVersionState(`${name}/cryptoKeyVersions/2`, 'DESTROYED');
    for (const keyVersion of [2, 3, 9, undefined]) {
      await expect(client.unwrap({ key: name, ciphertext, aad, keyVersion })).rejects.toMatchObject({
        code: 'key_disabled',
        keyVersion: 1,
      });
      expect(calls.at(-1)?.keyVersion).toBe(keyVersion === undefined ? undefined : 1);
    }
    await own.close();
  });

  it('reports key_disabled if the caller may not read the version’s state', async () => {
    const name = cryptoKey('blind');
    const own = await startEmulator({ keys: [name], identities: { [reader]: 0 } });
    await own.setPolicy(name, [
      { role: 'roles/cloudkms.cryptoKeyDecrypter', members: [`serviceAccount:${reader}`] },
    ]);
    const { ciphertext } = await connect(own.address).wrap({ key: name, plaintext, aad });
    await own.setVersionState(`${name}/cryptoKeyVersions/1`, 'DESTROYED');
    await expect(
      connect(own.identities[reader]!).unwrap({ key: name, ciphertext, aad, keyVersion: 1 }),
    ).rejects.toMatchObject({ code: 'key_disabled', class: 'restorable' });
    await own.close();
  });
});

describe('a caller', () => {
  it('gets permission_denied without the permission to encrypt or decrypt', async () => {
    const { ciphertext } = await kms.wrap({ key, plaintext, aad });
    const denied = connect(emulator.identities[worker]!);
    await expect(denied.wrap({ key, plaintext, aad })).rejects.toMatchObject({
      code: 'permission_denied',
      key,
    });
    await expect(denied.unwrap({ key, ciphertext, aad })).rejects.toMatchObject({
      code: 'permission_denied',
    });
  });

  it('gets key_not_found if it has all permissions but the key does not exist', async () => {
    await expect(kms.wrap({ key: cryptoKey('absent'), plaintext, aad })).rejects.toMatchObject({
      code: 'key_not_found',
    });
  });
});

//
describe('CloudKms if the service fails', () => {
  it.each([
    ['UNAVAILABLE', 'kms_unavailable'],
    ['INTERNAL', 'kms_unavailable'],
    ['DEADLINE_EXCEEDED', 'kms_unavailable'],
    ['ABORTED', 'kms_unavailable'],
    ['RESOURCE_EXHAUSTED', 'kms_quota'],
  ] as const)('maps the response %s to the error %s after one attempt', async (status, code: ReasonCode) => {
    // `CloudKms` repeats attempts during which this process was stalled. This fake clock hides stalls.
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    emulator.injectFault({ effect: { kind: 'error', status }, method: 'Encrypt' });
    emulator.calls.reset();
    await expect(kms.wrap({ key, plaintext, aad })).rejects.toMatchObject({ code, retryable: true });
    expect(emulator.calls.count('Encrypt')).toBe(1);
  });

  it('fails with kms_unavailable at the attempt’s deadline if Cloud KMS does not respond', async () => {
    emulator.injectFault({ effect: { kind: 'hang' }, method: 'Encrypt' });
    const start = performance.now();
    await expect(connect(emulator.address, 300).wrap({ key, plaintext, aad })).rejects.toMatchObject({
      code: 'kms_unavailable',
    });
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  it('throws an error without network addresses, because Temporal stores the error and its causes', async () => {
    const gone = await startEmulator();
    const client = connect(gone.address);
    await gone.close();
    const error: unknown = await client.wrap({ key, plaintext, aad }).catch((caught: unknown) => caught);
    const text = [];
    for (let at = error; at instanceof Error; at = at.cause) text.push(at.message, at.stack);
    expect(text.join('\n')).toContain(key);
    expect(text.join('\n')).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
  });
});

// [D-2]
describe('CloudKms with a large plaintext', () => {
  it('refuses more than 64 KiB as too_large, without a call', async () => {
    emulator.calls.reset();
    await expect(
      kms.wrap({ key, plaintext: Buffer.alloc(65_537), aad: Buffer.alloc(0) }),
    ).rejects.toMatchObject({ code: 'too_large' });
    expect(emulator.calls.count('Encrypt')).toBe(0);
    await expect(
      kms.wrap({ key, plaintext: Buffer.alloc(65_536), aad: Buffer.alloc(0) }),
    ).resolves.toBeDefined();
  });

  it('refuses more than 8 KiB as too_large for an HSM key, without an encrypt call if it may look up the protection level', async () => {
    const client = connect(emulator.address);
    const hsm = await createHsmKey(emulator.address);
    // An identity that may only encrypt cannot look up the protection level.
    emulator.injectFault({
      effect: { kind: 'error', status: 'PERMISSION_DENIED' },
      method: 'GetCryptoKey',
      times: 1,
    });
    await expect(
      client.wrap({ key: hsm, plaintext: Buffer.alloc(8_193), aad: Buffer.alloc(0) }),
    ).rejects.toMatchObject({ code: 'too_large' });
    emulator.calls.reset();
    await expect(
      client.wrap({ key: hsm, plaintext: Buffer.alloc(8_193), aad: Buffer.alloc(0) }),
    ).rejects.toMatchObject({ code: 'too_large' });
    expect(emulator.calls.count('Encrypt')).toBe(0);
    await expect(
      client.wrap({ key: hsm, plaintext: Buffer.alloc(8_192), aad: Buffer.alloc(0) }),
    ).resolves.toBeDefined();
  });
});

it('returns a key’s versions, their states and the primary version from describe()', async () => {
  expect(await kms.describe(key)).toMatchObject({
    name: key,
    key,
    primary: 1,
    protectionLevel: 'SOFTWARE',
    versions: [
      {
        version: 1,
        state: 'ENABLED',
        created: expect.any(Date),
        generated: expect.any(Date),
        algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
        protectionLevel: 'SOFTWARE',
      },
    ],
  });
});

describe('CloudKms without valid credentials', () => {
  const refusal = {
    code: 'kms_unavailable',
    key,
    message: expect.stringMatching(/credentials are not available/),
  };
  let directory: string;
  let file: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'credentials-'));
    file = join(directory, 'key.json');
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });

  it.each([
    ['do not exist', undefined],
    ['are not JSON', '{'],
    ['contain no key', '{"type":"service_account"}'],
  ])(
    'fails with kms_unavailable, but does not end the process or leave a connection open, if the credentials %s',
    async (_, content) => {
      if (content !== undefined) await writeFile(file, content);
      const alone = new CloudKms({ attemptTimeoutMs: 5_000 });
      const asked = alone.describe(key).catch((error: unknown) => error);
      await expect(alone.close()).resolves.toBeUndefined();
      expect(await asked).toMatchObject(refusal);
      await expect(alone.close()).resolves.toBeUndefined();
    },
  );

  it('finds credentials at most a second after they become available, although not every call looks for them', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    const account = { type: 'service_account', client_email: worker, private_key: privateKey };
    vi.useFakeTimers({ toFake: ['performance'] });
    const alone = new CloudKms({ attemptTimeoutMs: 5_000 });
    await expect(alone.wrap({ key, plaintext, aad })).rejects.toMatchObject(refusal);
    await writeFile(file, JSON.stringify(account));
    await expect(alone.wrap({ key, plaintext, aad })).rejects.toMatchObject(refusal);
    vi.advanceTimersByTime(1_000);
    await expect(alone.wrap({ key, plaintext, aad })).rejects.toMatchObject({
      code: 'kms_unavailable',
      message: expect.stringMatching(/call to Cloud KMS/),
    });
    vi.useRealTimers();
    await alone.close();
  });
});

it('throws in the constructor if Google’s client would print data keys, unless a setting allows that for an emulator', async () => {
  vi.stubEnv('GOOGLE_SDK_NODE_LOGGING', 'all');
  vi.stubEnv('KMS_ALLOW_DIAGNOSTICS', 'true');
  try {
    expect(() => new CloudKms()).toThrow(/plaintext data keys/);
    await new CloudKms({ emulatorHost: '127.0.0.1:1' }).close();
  } finally {
    vi.unstubAllEnvs();
  }
});

async function createHsmKey(address: string): Promise<string> {
  const { KeyManagementServiceClient } = await import('@google-cloud/kms');
  const admin = new KeyManagementServiceClient(emulatorOptions(address));
  const [created] = await admin.createCryptoKey({
    parent: key.slice(0, key.indexOf('/cryptoKeys/')),
    cryptoKeyId: 'hsm',
    cryptoKey: {
      purpose: 'ENCRYPT_DECRYPT',
      versionTemplate: { protectionLevel: 'HSM', algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
    },
  });
  await admin.close();
  return created.name!;
}

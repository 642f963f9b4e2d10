import { leaksIn } from '@temporal-kms/testing/canaries';
import { describe, expect, it } from 'vitest';
import {
  ADMIN,
  KEY,
  keysFile,
  RING,
  type RunOptions,
  startCloud,
  temporalKms,
  WORKER,
} from '../support/cli.ts';

/** An hour in seconds. */
const HOUR = 3600;

async function startRotatable() {
  const cloud = await startCloud();
  await cloud.grant(ADMIN, 'roles/cloudkms.admin');
  await cloud.grant(ADMIN, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  const rotate = (args: string[] = [], { env, ...more }: RunOptions = {}) =>
    temporalKms(['rotate', ...args], { env: { ...cloud.as(ADMIN), ...env }, ...more });
  /** Returns options that advance the emulator's clock by two hours whenever the command prints the text. */
  const advancingAt = (shown: string): RunOptions => ({
    onProgress: (text) => {
      if (text.includes(shown)) void cloud.emulator.advance(2 * HOUR);
    },
  });
  const primary = async () => {
    const [key] = await cloud.owner.getCryptoKey({ name: KEY });
    return key.primary?.name;
  };
  return { ...cloud, rotate, advancingAt, primary };
}

describe('temporal-kms rotate', () => {
  it('creates a version, makes it primary, and verifies it with a round trip', async () => {
    const { rotate, primary, emulator } = await startRotatable();
    const { code, json } = await rotate(['--json']);
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      key: KEY,
      previous: 1,
      version: 2,
      verified: 'yes',
      processes: { newVersionWithinSeconds: 3600, oldVersionAtMostSeconds: 86_400 },
    });
    expect(await primary()).toBe(`${KEY}/cryptoKeyVersions/2`);
    expect([emulator.calls.count('Encrypt'), emulator.calls.count('Decrypt')]).toEqual([1, 1]);
  });

  it('states what running processes will do, and when, depending on their configuration', async () => {
    const { rotate } = await startRotatable();
    const standard = await rotate();
    expect(standard.out).toContain('Version 2 of');
    expect(standard.out).toContain('Within 60 minutes each process replaces its branch key');
    expect(standard.out).toContain('Messages under version 1 stay readable');
    const shared = await rotate([], { env: { KMS_BRANCH_KEYS: 'file:/var/lib/branch-keys' } });
    expect(shared.out).toContain('Within 60 minutes the fleet replaces its shared branch key');
    const direct = await rotate([], { env: { KMS_FORMAT: 'direct' } });
    expect(direct.out).toContain('from now on they encrypt each payload under version 4');
  });

  it('does not print plaintext or key bytes', async () => {
    const { rotate, plaintexts } = await startRotatable();
    const { out, err } = await rotate();
    expect(plaintexts).toHaveLength(2);
    expect(leaksIn(out + err, plaintexts)).toEqual([]);
  });

  it('changes nothing if a permission is missing, and lets an administrator who may not encrypt skip the round trip', async () => {
    const { as, grant, owner } = await startCloud();
    await grant(ADMIN, 'roles/cloudkms.admin');
    const refused = await temporalKms(['rotate'], { env: as(ADMIN) });
    expect(refused.code).toBe(77);
    expect(refused.err).toContain('useToEncrypt');
    expect(refused.err).toContain(`type: temporal-kms rotate --key ${KEY} --no-verify`);
    const [versions] = await owner.listCryptoKeyVersions({ parent: KEY });
    expect(versions).toHaveLength(1);

    const done = await temporalKms(['rotate', '--no-verify', '--json'], { env: as(ADMIN) });
    expect([done.code, done.json().verified]).toEqual([0, 'skipped']);
  });

  it('changes nothing for a caller who may use the key but not administer it', async () => {
    const { as, grant, emulator } = await startCloud();
    await grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
    const { code, err } = await temporalKms(['rotate'], { env: as(WORKER) });
    expect(code).toBe(77);
    expect(err).toContain('--role=roles/cloudkms.admin');
    expect(emulator.calls.count('CreateCryptoKeyVersion')).toBe(0);
  });

  it.each([
    [
      'of another purpose',
      { purpose: 'MAC', versionTemplate: { algorithm: 'HMAC_SHA256' } },
      'purpose is MAC',
    ],
    ['with imported versions', { purpose: 'ENCRYPT_DECRYPT', importOnly: true }, 'versions are imported'],
  ] as const)('changes nothing for a key %s', async (_, cryptoKey, text) => {
    const { owner, emulator } = await startCloud();
    await owner.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'other',
      cryptoKey,
      skipInitialVersionCreation: true,
    });
    const args = ['rotate', '--key', `${RING}/cryptoKeys/other`];
    const { code, err } = await temporalKms(args, { env: { KMS_EMULATOR_HOST: emulator.address } });
    expect([code, err]).toEqual([1, expect.stringContaining(text)]);
    expect(emulator.calls.count('CreateCryptoKeyVersion')).toBe(0);
  });

  it('waits until Cloud KMS encrypts under the new version', async () => {
    const { rotate, emulator, advancingAt } = await startRotatable();
    emulator.setPropagation({ primary: HOUR });
    const { code, err, json } = await rotate(['--json'], advancingAt('still encrypts under version 1'));
    expect([code, json().verified]).toEqual([0, 'yes']);
    expect(err).toContain('still encrypts under version 1');
  });

  it('exits with 75 if the new version does not take effect in time', async () => {
    const { rotate, emulator, primary } = await startRotatable();
    emulator.setPropagation({ primary: HOUR });
    const { code, out } = await rotate(['--wait', '0']);
    expect(code).toBe(75);
    expect(out).toContain('do not rotate again');
    expect(await primary()).toBe(`${KEY}/cryptoKeyVersions/2`);
  });

  it('waits for a version’s key material', async () => {
    const { rotate, emulator, advancingAt } = await startRotatable();
    emulator.setPropagation({ generation: HOUR });
    const { code, err } = await rotate([], advancingAt("Waiting for the version's key material"));
    expect(code).toBe(0);
    expect(err).toContain("Waiting for the version's key material");
  });

  it('states how to finish if the version exists but cannot be made primary', async () => {
    const { rotate, emulator } = await startRotatable();
    emulator.injectFault({
      effect: { kind: 'error', status: 'UNAVAILABLE' },
      method: 'UpdateCryptoKeyPrimaryVersion',
    });
    const { code, err } = await rotate();
    expect(code).toBe(69);
    expect(err).toContain('Version 2 exists, but it is not primary');
    expect(err).toContain('type: gcloud kms keys update workflow-encryption --primary-version=2');
  });

  it('refuses to choose if the configuration has several keys, and lists a command for each key', async () => {
    const other = `${RING}/cryptoKeys/other`;
    const { as, grant } = await startCloud({ keys: [KEY, other] });
    await grant(ADMIN, 'roles/cloudkms.admin', other);
    const file = await keysFile({ a: { encrypt: KEY }, b: { encrypt: other } });
    const asked = await temporalKms(['rotate'], { env: { KMS_KEYS_FILE: file } });
    expect(asked.code).toBe(64);
    expect(asked.err).toContain(`temporal-kms rotate --key ${other}`);

    const { code, json } = await temporalKms(['rotate', '--key', other, '--no-verify', '--json'], {
      env: as(ADMIN),
    });
    expect([code, json().key]).toEqual([0, other]);
  });
});

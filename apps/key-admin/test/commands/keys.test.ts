import { describe, expect, it } from 'vitest';
import {
  KEY,
  RING,
  startCloud,
  temporalKms,
  temporaryFile,
  variables,
  VIEWER,
  WORKER,
} from '../support/cli.ts';

const DAY = 86_400;
const version = (number: number) => `${KEY}/cryptoKeyVersions/${number}`;

const now = () => new Date('2030-01-11T00:00:00Z');

/**
 * Creates a key with three versions: an enabled primary version, a disabled version, and a version that is
 * scheduled for destruction.
 */
async function threeVersions() {
  const cloud = await startCloud();
  const { emulator, owner } = cloud;
  await emulator.setTime(new Date('2030-01-01T00:00:00Z'));
  await owner.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
  await owner.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
  await owner.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '3' });
  await owner.updateCryptoKeyVersion({
    cryptoKeyVersion: { name: version(2), state: 'DISABLED' },
    updateMask: { paths: ['state'] },
  });
  await owner.destroyCryptoKeyVersion({ name: version(1) });
  await owner.updateCryptoKey({
    cryptoKey: {
      name: KEY,
      rotationPeriod: { seconds: 90 * DAY },
      nextRotationTime: { seconds: Date.parse('2030-04-01T00:00:00Z') / 1000 },
    },
    updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
  });
  await cloud.grant(VIEWER, 'roles/cloudkms.viewer');
  return {
    ...cloud,
    keys: (...args: string[]) => temporalKms(['keys', ...args], { env: cloud.as(VIEWER), now }),
  };
}

describe('temporal-kms keys', () => {
  it('shows versions, states, ages, restore-by dates, the next rotation, and which version encrypts', async () => {
    const { keys } = await threeVersions();
    const { code, json } = await keys('--json');
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      keys: [
        {
          key: KEY,
          use: { encryptsFor: ['*'], decryptsFor: [] },
          protectionLevel: 'SOFTWARE',
          primary: 3,
          rotationPeriodSeconds: 90 * DAY,
          nextRotation: '2030-04-01T00:00:00Z',
          problems: [],
          versions: [
            {
              version: 3,
              state: 'ENABLED',
              primary: true,
              ageSeconds: expect.closeTo(10 * DAY, -3),
              restoreBy: null,
            },
            {
              version: 2,
              state: 'DISABLED',
              primary: false,
              created: expect.stringMatching(/^2030-01-01T00:\d\d:\d\dZ$/),
            },
            {
              version: 1,
              state: 'DESTROY_SCHEDULED',
              primary: false,
              restoreBy: expect.stringMatching(/^2030-01-31T00:\d\d:\d\dZ$/),
            },
          ],
        },
      ],
    });
  });

  it('prints keys and versions for people, with the command that restores a version', async () => {
    const { keys } = await threeVersions();
    const { code, out, err } = await keys();
    expect(code).toBe(0);
    expect(out).toContain('encrypts and decrypts for every namespace');
    expect(out).toContain('every 90 days, next on 2030-04-01T00:00:00Z (in 80 days)');
    expect(out).toMatch(/^ {2}3 +ENABLED, primary: encrypts +2030-01-01T00:\d\d:\d\dZ +10 days$/m);
    expect(out).toMatch(/^ {2}1 +DESTROY_SCHEDULED .*restore by 2030-01-31T00:\d\d:\d\dZ \(in 20 days\)$/m);
    expect(out).toContain(
      'type: gcloud kms keys versions restore 1 --key=workflow-encryption --keyring=temporal-keys --location=us-east1 --project=acme',
    );
    expect(err).toBe(`Reading ${KEY}\n`);
  });

  it('exits with 1 and states the command to type if the version that encrypts is disabled', async () => {
    const { keys, owner } = await threeVersions();
    await owner.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: version(3), state: 'DISABLED' },
      updateMask: { paths: ['state'] },
    });
    const { code, json } = await keys('--json');
    expect(code).toBe(1);
    expect(json().keys[0].problems).toMatchObject([
      { code: 'primary_not_enabled', fix: [expect.stringContaining('gcloud kms keys versions enable 3')] },
    ]);
  });

  it('exits with 1 if a key that encrypts has no primary version', async () => {
    const { owner, as, grant } = await startCloud();
    const empty = `${RING}/cryptoKeys/empty`;
    await owner.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'empty',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
      skipInitialVersionCreation: true,
    });
    await grant(VIEWER, 'roles/cloudkms.viewer', empty);
    const { code, json } = await temporalKms(['keys', '--key', empty, '--json'], { env: as(VIEWER) });
    expect(code).toBe(1);
    expect(json().keys[0]).toMatchObject({ primary: null, problems: [{ code: 'no_primary' }] });
  });

  it('shows every key in a keys file, with the namespaces that use the key, and the denied branch keys', async () => {
    const denied = 'ab'.repeat(32);
    const { as, grant } = await startCloud({ keys: [KEY, `${RING}/cryptoKeys/old`] });
    await grant(VIEWER, 'roles/cloudkms.viewer', RING);
    const file = await temporaryFile(
      'keys.yaml',
      `namespaces:\n  payments:\n    encrypt: ${KEY}\n    decrypt: [${RING}/cryptoKeys/old]\ndefault:\n  encrypt: ${KEY}\ndeny: [${denied}]\n...\n`,
    );
    const { KMS_EMULATOR_HOST } = as(VIEWER);
    const { code, out, json } = await temporalKms(['keys', '--json'], {
      env: { KMS_EMULATOR_HOST, KMS_KEYS_FILE: file },
    });
    expect([code, out.includes('error')]).toEqual([0, false]);
    expect(json().keys.map(({ key, use }: any) => [key, use])).toEqual([
      [KEY, { encryptsFor: ['payments', '*'], decryptsFor: [] }],
      [`${RING}/cryptoKeys/old`, { encryptsFor: [], decryptsFor: ['payments'] }],
    ]);
    expect(json().deny).toEqual([denied]);
  });

  it('reads a variable from --env-file unless the environment contains the variable', async () => {
    const { as, grant } = await startCloud();
    await grant(VIEWER, 'roles/cloudkms.viewer');
    const lines = Object.entries({ ...variables, GCP_PROJECT: 'other' }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const file = await temporaryFile('worker.env', `# a comment\n${lines.join('\n')}\n`);
    const { KMS_EMULATOR_HOST } = as(VIEWER);
    const env = { KMS_EMULATOR_HOST, GCP_PROJECT: 'acme' };
    expect(await temporalKms(['keys', '--env-file', file], { env })).toMatchObject({ code: 0 });
  });

  it('exits with 77 and names the role if the caller may not describe the key', async () => {
    const { as } = await startCloud();
    const { code, out, err } = await temporalKms(['keys'], { env: as(WORKER) });
    expect([code, out]).toEqual([77, '']);
    expect(err).toContain('permission_denied');
    expect(err).toContain(
      'type: gcloud kms keys add-iam-policy-binding workflow-encryption --keyring=temporal-keys --location=us-east1 ' +
        '--project=acme --member=user:YOUR-ADDRESS --role=roles/cloudkms.viewer',
    );
  });

  it('exits with 66 if the key does not exist, and prints the error as text and, with --json, also as JSON', async () => {
    const { as, grant } = await startCloud();
    await grant(VIEWER, 'roles/cloudkms.viewer', RING);
    const missing = `${RING}/cryptoKeys/missing`;
    const { code, err, json } = await temporalKms(['keys', '--key', missing, '--json'], { env: as(VIEWER) });
    expect([code, err]).toEqual([66, expect.stringContaining(`\nerror: Cloud KMS has no key ${missing}`)]);
    expect(json()).toMatchObject({
      error: { exit: 'notFound', fix: ['temporal-kms setup --dry-run --project acme'] },
    });
  });

  it('exits with 69 if Cloud KMS answers neither the call nor a retry', async () => {
    const { emulator, as, grant } = await startCloud();
    await grant(VIEWER, 'roles/cloudkms.viewer');
    emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const { code } = await temporalKms(['keys'], { env: as(VIEWER) });
    expect(code).toBe(69);
    expect(emulator.calls.count('GetCryptoKey')).toBe(4);
  });

  it('exits with 78 and lists every mistake in the configuration', async () => {
    const { code, err } = await temporalKms(['keys'], { env: { KMS_EMULATOR_HOST: 'kms.example.com:1' } });
    expect(code).toBe(78);
    expect(err).toContain('GCP_PROJECT is missing');
    expect(err).toContain('must be a loopback address');
    expect(err).toContain('type: --key projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY');
  });
});

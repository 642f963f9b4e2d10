import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { run, runProcess } from './support/cli.ts';
import { asBuffer, refusalCode } from './support/client.ts';
import { DAY, KEY, RING, start, VERSION } from './support/running.ts';

const SECOND = `${KEY}/cryptoKeyVersions/2`;
const rotationPeriodSeconds = 90 * DAY;

/** Runs a `kms-emulator` command against an emulator's control API. */
const runAgainst = (emulator: { controlUrl: string }, ...args: string[]) => run(...portOf(emulator), ...args);
const portOf = ({ controlUrl }: { controlUrl: string }) => ['--control-port', new URL(controlUrl).port];

describe('an emulator’s rotation period', () => {
  it('makes keys rotate exactly when the emulator’s clock reaches the scheduled time', async () => {
    const { emulator, client } = await start({ keys: [KEY], rotationPeriodSeconds });
    const [encrypted] = await client.encrypt({ name: KEY, plaintext: Buffer.from('x') });
    expect(emulator.keys()).toMatchObject([
      { name: KEY, primary: VERSION, rotationPeriodSeconds, versions: { ENABLED: 1 } },
    ]);
    await emulator.advance(90 * DAY - 60);
    expect(emulator.keys()).toMatchObject([{ primary: VERSION }]);
    await emulator.advance(120);
    const next = new Date(emulator.now().getTime() + (90 * DAY - 60) * 1000);
    const [key] = emulator.keys();
    expect(key).toMatchObject({ primary: SECOND, versions: { ENABLED: 2 } });
    expect(Math.abs(Date.parse(key?.nextRotationTime ?? '') - next.getTime())).toBeLessThan(60_000);
    const [decrypted] = await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext).toString()).toBe('x');
  });

  it('must be at least a day', async () => {
    await expect(start({ keys: [KEY], rotationPeriodSeconds: 60 })).rejects.toThrow('at least 24 hours');
  });
});

describe('kms-emulator rotate', () => {
  it('rotates every encryption key, and keeps rotation schedules', async () => {
    const { emulator, client } = await start({ keys: [KEY], rotationPeriodSeconds });
    await client.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'reports',
      cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' } },
    });
    const [before] = emulator.keys();
    const { code: exit, stdout } = await runProcess(...portOf(emulator), 'rotate');
    expect({ exit, stdout }).toEqual({
      exit: 0,
      stdout: `${KEY}\n  versions: 2 ENABLED; primary: 2; next rotation: ${before?.nextRotationTime}\n`,
    });
    const [encrypted] = await client.encrypt({ name: KEY, plaintext: Buffer.from('x') });
    expect(encrypted.name).toBe(SECOND);
  });

  it('rotates only the named key, and refuses a key that does not exist', async () => {
    const other = `${RING}/cryptoKeys/other`;
    const { emulator } = await start({ keys: [KEY, other] });
    expect(await runAgainst(emulator, 'rotate', other)).toMatchObject({ code: 0 });
    expect(emulator.keys()).toMatchObject([
      { name: KEY, primary: VERSION },
      { name: other, versions: { ENABLED: 2 } },
    ]);
    const refused = await runAgainst(emulator, 'rotate', `${RING}/cryptoKeys/none`);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`CryptoKey ${RING}/cryptoKeys/none not found.`);
  });

  it('explains what to do if no emulator is running', async () => {
    const { code: exit, stderr } = await run('--control-port', '9', 'rotate');
    expect(exit).toBe(1);
    expect(stderr).toContain('no emulator answers at http://127.0.0.1:9');
    expect(stderr).toContain('--control-port');
  });
});

describe('kms-emulator clock', () => {
  it('moves the clock, and performs rotations and destructions that become due', async () => {
    const { emulator, client } = await start({ keys: [KEY], rotationPeriodSeconds });
    await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    await client.destroyCryptoKeyVersion({ name: SECOND });
    const { stdout } = await runAgainst(emulator, 'clock', '--advance', '91d');
    expect(stdout).toMatch(/^The emulator's clock: \d{4}-\d\d-\d\dT/);
    expect(stdout).toContain('versions: 2 ENABLED, 1 DESTROYED; primary: 3; next rotation: ');
    const encrypt = client.encrypt({ name: SECOND, plaintext: Buffer.from('x') });
    expect(await refusalCode(encrypt)).toBe(code.FAILED_PRECONDITION);
  });

  it('sets the clock, and returns to the real time', async () => {
    const { emulator } = await start({ keys: [KEY] });
    const set = await runAgainst(emulator, 'clock', '--set', '2035-01-01T00:00:00Z');
    expect(set.stdout).toContain("The emulator's clock: 2035-01-01T00:0");
    const reset = await runAgainst(emulator, 'clock', '--reset');
    expect(reset.stdout).toContain(`The emulator's clock: ${new Date().getUTCFullYear()}-`);
  });

  it.each([
    [['--advance', 'soon'], 'Write a duration as 90d, 24h, 30m or 10s.'],
    [['--set', 'soon'], 'the emulator refused'],
    [['--reset', '--advance', '1d'], 'use one of --advance, --set and --reset'],
  ])('refuses %j', async (args, message) => {
    const { emulator } = await start({ keys: [KEY] });
    const { code: exit, stderr } = await runAgainst(emulator, 'clock', ...args);
    expect(exit).toBe(1);
    expect(stderr).toContain(message);
  });
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { code, secondsOf } from './conformance/fixture.ts';
import { asBuffer, refusal, refusalCode } from './support/client.ts';
import { DAY, KEY, RING, start, VERSION, temporaryFolder } from './support/running.ts';

const plaintext = Buffer.from('x');

async function startWithSchedule(rotationPeriod?: number) {
  const { emulator, client } = await start({ keys: [KEY] });
  const next = Math.floor(emulator.now().getTime() / 1000) + 30 * DAY;
  await client.createCryptoKey({
    parent: RING,
    cryptoKeyId: 'rotating',
    cryptoKey: {
      purpose: 'ENCRYPT_DECRYPT',
      nextRotationTime: { seconds: next },
      ...(rotationPeriod === undefined ? {} : { rotationPeriod: { seconds: rotationPeriod } }),
    },
  });
  return { emulator, client, name: `${RING}/cryptoKeys/rotating`, next };
}

describe('rotation on schedule', () => {
  it('creates a new primary version at the scheduled time and schedules the next rotation', async () => {
    const { emulator, client, name, next } = await startWithSchedule(90 * DAY);
    const [old] = await client.encrypt({ name, plaintext });
    await emulator.advance(30 * DAY + 1);
    const [key] = await client.getCryptoKey({ name });
    expect(key.primary).toMatchObject({ name: `${name}/cryptoKeyVersions/2`, state: 'ENABLED' });
    expect(secondsOf(key.primary?.createTime)).toBe(next);
    expect(secondsOf(key.nextRotationTime)).toBe(next + 90 * DAY);
    const [encrypted] = await client.encrypt({ name, plaintext });
    expect(encrypted.name).toBe(`${name}/cryptoKeyVersions/2`);
    const [decrypted] = await client.decrypt({ name, ciphertext: old.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(plaintext);
  });

  it('rotates once for each period that has passed', async () => {
    const { emulator, client, name } = await startWithSchedule(10 * DAY);
    await emulator.advance(55 * DAY);
    const [versions] = await client.listCryptoKeyVersions({ parent: name });
    expect(versions.map((version) => version.name?.split('/').at(-1))).toEqual(['1', '2', '3', '4']);
  });

  it('rotates only once if the key has no rotation period', async () => {
    const { emulator, client, name } = await startWithSchedule();
    await emulator.advance(400 * DAY);
    const [key] = await client.getCryptoKey({ name });
    expect(key.primary?.name).toBe(`${name}/cryptoKeyVersions/2`);
    expect(key.nextRotationTime).toBeNull();
  });

  it('keeps the schedule after a manual rotation', async () => {
    const { client, name, next } = await startWithSchedule(90 * DAY);
    await client.createCryptoKeyVersion({ parent: name, cryptoKeyVersion: {} });
    const [key] = await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' });
    expect(secondsOf(key.nextRotationTime)).toBe(next);
  });

  it('does not enable disabled versions', async () => {
    const { emulator, client, name } = await startWithSchedule(90 * DAY);
    await client.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: `${name}/cryptoKeyVersions/1`, state: 'DISABLED' },
      updateMask: { paths: ['state'] },
    });
    await emulator.advance(31 * DAY);
    const [old] = await client.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` });
    expect(old.state).toBe('DISABLED');
  });
});

describe('destruction', () => {
  it('happens at the scheduled time, removes the key material from the data file, and is final', async () => {
    const folder = await temporaryFolder();
    const dataFile = join(folder, 'keys.json');
    const { emulator, client } = await start({ keys: [KEY], dataFile });
    const [encrypted] = await client.encrypt({ name: KEY, plaintext });
    const material = /"material": "([^"]+)"/.exec(await readFile(dataFile, 'utf8'))?.[1] ?? '';
    expect(material).not.toBe('');
    const [scheduled] = await client.destroyCryptoKeyVersion({ name: VERSION });

    await emulator.advance(30 * DAY - 60);
    const [still] = await client.getCryptoKeyVersion({ name: VERSION });
    expect(still.state).toBe('DESTROY_SCHEDULED');
    expect(await readFile(dataFile, 'utf8')).toContain(material);

    await emulator.advance(120);
    const [gone] = await client.getCryptoKeyVersion({ name: VERSION });
    expect(gone).toMatchObject({
      state: 'DESTROYED',
      destroyTime: null,
      destroyEventTime: scheduled.destroyTime,
    });
    expect(await readFile(dataFile, 'utf8')).not.toContain(material);
    expect(
      await refusal(client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' })),
    ).toMatchObject({
      code: code.FAILED_PRECONDITION,
      details: `${VERSION} is not enabled, current state is: DESTROYED.`,
      statusDetails: [{ violations: [{ type: 'KEY_DESTROYED', subject: VERSION }] }],
    });
    expect(await refusalCode(client.restoreCryptoKeyVersion({ name: VERSION }))).toBe(
      code.FAILED_PRECONDITION,
    );
  });

  it('does not happen if the version was restored in time', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    const [encrypted] = await client.encrypt({ name: KEY, plaintext });
    await client.destroyCryptoKeyVersion({ name: VERSION });
    await emulator.advance(29 * DAY);
    await client.restoreCryptoKeyVersion({ name: VERSION });
    await client.updateCryptoKeyVersion({
      cryptoKeyVersion: { name: VERSION, state: 'ENABLED' },
      updateMask: { paths: ['state'] },
    });
    await emulator.advance(100 * DAY);
    const [decrypted] = await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(plaintext);
  });
});

const to = (state: 'ENABLED' | 'DISABLED') => ({
  cryptoKeyVersion: { name: VERSION, state },
  updateMask: { paths: ['state'] },
});

describe('propagation', () => {
  it('lets a disabled version work until the change has propagated, although readers see the change immediately', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ disable: 60 });
    await client.updateCryptoKeyVersion(to('DISABLED'));
    const [seen] = await client.getCryptoKeyVersion({ name: VERSION });
    expect(seen.state).toBe('DISABLED');
    const [encrypted] = await client.encrypt({ name: KEY, plaintext });
    await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    await emulator.advance(61);
    for (const call of [
      () => client.encrypt({ name: KEY, plaintext }),
      () => client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' }),
    ]) {
      expect(await refusalCode(call())).toBe(code.FAILED_PRECONDITION);
    }
  });

  it('is immediate when a version is enabled', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ disable: 60 });
    await client.updateCryptoKeyVersion(to('DISABLED'));
    await emulator.advance(61);
    await client.updateCryptoKeyVersion(to('ENABLED'));
    await expect(client.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
  });

  it('makes Encrypt use the previous primary version until the change has propagated', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ primary: 60 });
    await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    const [key] = await client.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '2' });
    expect(key.primary?.name).toBe(`${KEY}/cryptoKeyVersions/2`);
    const [before] = await client.encrypt({ name: KEY, plaintext });
    expect(before.name).toBe(VERSION);
    await emulator.advance(61);
    const [after] = await client.encrypt({ name: KEY, plaintext });
    expect(after.name).toBe(`${KEY}/cryptoKeyVersions/2`);
  });

  it('keeps a new version pending until its key material is generated', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ generation: 30 });
    const [version] = await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    expect(version.state).toBe('PENDING_GENERATION');
    const name = version.name ?? '';
    expect(await refusal(client.encrypt({ name, plaintext }))).toMatchObject({
      code: code.FAILED_PRECONDITION,
      statusDetails: [{ violations: [{ type: 'KEY_PENDING_GENERATION', subject: name }] }],
    });
    await emulator.advance(31);
    await expect(client.encrypt({ name, plaintext })).resolves.toBeDefined();
  });
});

describe('the clock', () => {
  it('can be set, and reset to the real time', async () => {
    const { emulator } = await start();
    await emulator.setTime(new Date('2031-01-01T00:00:00Z'));
    expect(emulator.now().toISOString()).toMatch(/^2031-01-01T00:00:0/);
    const before = Date.now();
    const reset = emulator.resetTime().getTime();
    expect(reset).toBeGreaterThanOrEqual(before);
    expect(reset).toBeLessThanOrEqual(Date.now());
  });

  it('can follow a clock that a test provides', async () => {
    const { emulator, client } = await start({ keys: [KEY], clock: { now: () => 1_000_000 } });
    await emulator.advance(1);
    const [version] = await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    expect(secondsOf(version.createTime)).toBe(1001);
  });
});

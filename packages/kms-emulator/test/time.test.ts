import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { code, secondsOf } from './conformance/fixture.ts';
import { asBuffer, once, refusal } from './support/client.ts';
import { afterwards, DAY, KEY, RING, start, VERSION } from './support/running.ts';

const plaintext = Buffer.from('x');

async function startWithSchedule(rotationPeriod?: number) {
  const { emulator, client } = await start({ keys: [KEY] });
  const next = Math.floor(emulator.now().getTime() / 1000) + 30 * DAY;
  await client.createCryptoKey(
    {
      parent: RING,
      cryptoKeyId: 'rotating',
      cryptoKey: {
        purpose: 'ENCRYPT_DECRYPT',
        nextRotationTime: { seconds: next },
        ...(rotationPeriod === undefined ? {} : { rotationPeriod: { seconds: rotationPeriod } }),
      },
    },
    once,
  );
  return { emulator, client, name: `${RING}/cryptoKeys/rotating`, next };
}

describe('rotation on schedule', () => {
  it('makes a new primary at the time and sets the next one by the period', async () => {
    const { emulator, client, name, next } = await startWithSchedule(90 * DAY);
    const [old] = await client.encrypt({ name, plaintext }, once);
    await emulator.advance(30 * DAY + 1);
    const [key] = await client.getCryptoKey({ name }, once);
    expect(key.primary).toMatchObject({ name: `${name}/cryptoKeyVersions/2`, state: 'ENABLED' });
    expect(secondsOf(key.primary?.createTime)).toBe(next);
    expect(secondsOf(key.nextRotationTime)).toBe(next + 90 * DAY);
    const [sealed] = await client.encrypt({ name, plaintext }, once);
    expect(sealed.name).toBe(`${name}/cryptoKeyVersions/2`);
    const [opened] = await client.decrypt({ name, ciphertext: old.ciphertext ?? '' }, once);
    expect(asBuffer(opened.plaintext)).toEqual(plaintext);
  });

  it('rotates as often as the time that has passed asks for', async () => {
    const { emulator, client, name } = await startWithSchedule(10 * DAY);
    await emulator.advance(55 * DAY);
    const [versions] = await client.listCryptoKeyVersions({ parent: name }, once);
    expect(versions.map((version) => version.name?.split('/').at(-1))).toEqual(['1', '2', '3', '4']);
  });

  it('rotates once and no more without a period', async () => {
    const { emulator, client, name } = await startWithSchedule();
    await emulator.advance(400 * DAY);
    const [key] = await client.getCryptoKey({ name }, once);
    expect(key.primary?.name).toBe(`${name}/cryptoKeyVersions/2`);
    expect(key.nextRotationTime).toBeNull();
  });

  it('is not moved by a rotation by hand', async () => {
    const { client, name, next } = await startWithSchedule(90 * DAY);
    await client.createCryptoKeyVersion({ parent: name, cryptoKeyVersion: {} }, once);
    const [key] = await client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' }, once);
    expect(secondsOf(key.nextRotationTime)).toBe(next);
  });

  it('leaves disabled versions disabled', async () => {
    const { emulator, client, name } = await startWithSchedule(90 * DAY);
    await client.updateCryptoKeyVersion(
      {
        cryptoKeyVersion: { name: `${name}/cryptoKeyVersions/1`, state: 'DISABLED' },
        updateMask: { paths: ['state'] },
      },
      once,
    );
    await emulator.advance(31 * DAY);
    const [old] = await client.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` }, once);
    expect(old.state).toBe('DISABLED');
  });
});

describe('destruction', () => {
  it('happens at its time, takes the key material out of the data file, and is final', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kms-emulator-'));
    afterwards(() => rm(folder, { recursive: true }));
    const dataFile = join(folder, 'keys.json');
    const { emulator, client } = await start({ keys: [KEY], dataFile });
    const [sealed] = await client.encrypt({ name: KEY, plaintext }, once);
    const material = /"material": "([^"]+)"/.exec(await readFile(dataFile, 'utf8'))?.[1] ?? '';
    expect(material).not.toBe('');
    const [scheduled] = await client.destroyCryptoKeyVersion({ name: VERSION }, once);

    await emulator.advance(30 * DAY - 60);
    const [still] = await client.getCryptoKeyVersion({ name: VERSION }, once);
    expect(still.state).toBe('DESTROY_SCHEDULED');
    expect(await readFile(dataFile, 'utf8')).toContain(material);

    await emulator.advance(120);
    const [gone] = await client.getCryptoKeyVersion({ name: VERSION }, once);
    expect(gone).toMatchObject({
      state: 'DESTROYED',
      destroyTime: null,
      destroyEventTime: scheduled.destroyTime,
    });
    expect(await readFile(dataFile, 'utf8')).not.toContain(material);
    expect(
      await refusal(client.decrypt({ name: KEY, ciphertext: sealed.ciphertext ?? '' }, once)),
    ).toMatchObject({
      code: code.FAILED_PRECONDITION,
      details: `${VERSION} is not enabled, current state is: DESTROYED.`,
      statusDetails: [{ violations: [{ type: 'KEY_DESTROYED', subject: VERSION }] }],
    });
    expect(await refusal(client.restoreCryptoKeyVersion({ name: VERSION }, once))).toMatchObject({
      code: code.FAILED_PRECONDITION,
    });
  });

  it('does not happen to what was restored in time', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    const [sealed] = await client.encrypt({ name: KEY, plaintext }, once);
    await client.destroyCryptoKeyVersion({ name: VERSION }, once);
    await emulator.advance(29 * DAY);
    await client.restoreCryptoKeyVersion({ name: VERSION }, once);
    await client.updateCryptoKeyVersion(
      { cryptoKeyVersion: { name: VERSION, state: 'ENABLED' }, updateMask: { paths: ['state'] } },
      once,
    );
    await emulator.advance(100 * DAY);
    const [opened] = await client.decrypt({ name: KEY, ciphertext: sealed.ciphertext ?? '' }, once);
    expect(asBuffer(opened.plaintext)).toEqual(plaintext);
  });
});

const to = (state: 'ENABLED' | 'DISABLED') => ({
  cryptoKeyVersion: { name: VERSION, state },
  updateMask: { paths: ['state'] },
});

describe('propagation', () => {
  it('lets a disabled version go on until the change has arrived, though readers see it at once', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ disable: 60 });
    await client.updateCryptoKeyVersion(to('DISABLED'), once);
    const [seen] = await client.getCryptoKeyVersion({ name: VERSION }, once);
    expect(seen.state).toBe('DISABLED');
    const [sealed] = await client.encrypt({ name: KEY, plaintext }, once);
    await client.decrypt({ name: KEY, ciphertext: sealed.ciphertext ?? '' }, once);
    await emulator.advance(61);
    for (const call of [
      () => client.encrypt({ name: KEY, plaintext }, once),
      () => client.decrypt({ name: KEY, ciphertext: sealed.ciphertext ?? '' }, once),
    ]) {
      expect(await refusal(call())).toMatchObject({ code: code.FAILED_PRECONDITION });
    }
  });

  it('enables at once', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ disable: 60 });
    await client.updateCryptoKeyVersion(to('DISABLED'), once);
    await emulator.advance(61);
    await client.updateCryptoKeyVersion(to('ENABLED'), once);
    await expect(client.encrypt({ name: KEY, plaintext }, once)).resolves.toBeDefined();
  });

  it('encrypts with the previous primary until the change has arrived', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ primary: 60 });
    await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} }, once);
    const [key] = await client.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '2' }, once);
    expect(key.primary?.name).toBe(`${KEY}/cryptoKeyVersions/2`);
    const [before] = await client.encrypt({ name: KEY, plaintext }, once);
    expect(before.name).toBe(VERSION);
    await emulator.advance(61);
    const [after] = await client.encrypt({ name: KEY, plaintext }, once);
    expect(after.name).toBe(`${KEY}/cryptoKeyVersions/2`);
  });

  it('keeps a new version pending as long as its generation takes', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    emulator.setPropagation({ generation: 30 });
    const [version] = await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} }, once);
    expect(version.state).toBe('PENDING_GENERATION');
    const name = version.name ?? '';
    expect(await refusal(client.encrypt({ name, plaintext }, once))).toMatchObject({
      code: code.FAILED_PRECONDITION,
      statusDetails: [{ violations: [{ type: 'KEY_PENDING_GENERATION', subject: name }] }],
    });
    await emulator.advance(31);
    await expect(client.encrypt({ name, plaintext }, once)).resolves.toBeDefined();
  });
});

describe('the clock', () => {
  it('can be set, and goes back to the real time', async () => {
    const { emulator } = await start();
    await emulator.setTime(new Date('2031-01-01T00:00:00Z'));
    expect(emulator.now().toISOString()).toMatch(/^2031-01-01T00:00:0/);
    expect(Math.abs(emulator.resetTime().getTime() - Date.now())).toBeLessThan(1000);
  });

  it("can be a test's own", async () => {
    const { emulator, client } = await start({ keys: [KEY], clock: { now: () => 1_000_000 } });
    await emulator.advance(1);
    const [version] = await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} }, once);
    expect(secondsOf(version.createTime)).toBe(1001);
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { once, refusal, refusalCode } from '../support/client.ts';
import { code, expectInvalid, expectRefusals, secondsOf, type Fixture } from './fixture.ts';

const THIRTY_DAYS = 30 * 86_400;

/** Tests of versions: their numbers, states and transitions, and the primary version. */
export function versionTests(fixture: () => Fixture): void {
  creationTests(fixture);
  stateTests(fixture);
  destructionTests(fixture);
  primaryTests(fixture);
}

function creationTests(fixture: () => Fixture): void {
  it('numbers versions from 1 in the order of their creation', async () => {
    const key = await fixture().createEmptyKey();
    const first = await fixture().createVersion(key.name);
    const second = await fixture().createVersion(key.name);
    const expected = {
      state: 'ENABLED',
      protectionLevel: 'SOFTWARE',
      algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
    };
    expect(first).toMatchObject({ ...expected, name: `${key.name}/cryptoKeyVersions/1` });
    expect(second).toMatchObject({ ...expected, name: `${key.name}/cryptoKeyVersions/2` });
    const [found] = await fixture().client.getCryptoKeyVersion({ name: second.name });
    expect(found).toEqual(expect.objectContaining({ name: second.name, createTime: second.createTime }));
    const [all] = await fixture().client.listCryptoKeyVersions({ parent: key.name });
    expect(all.map(({ name }) => name)).toEqual([first.name, second.name]);
  });

  it('generates asymmetric versions only after the call’s response, so they are first pending and then enabled', async () => {
    const { client } = fixture();
    const key = await fixture().createEmptyKey({
      purpose: 'ASYMMETRIC_SIGN',
      versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256' },
    });
    const created = await fixture().createVersion(key.name);
    expect(created).toMatchObject({ state: 'PENDING_GENERATION', generateTime: null });
    let [found] = await client.getCryptoKeyVersion({ name: created.name });
    for (let tries = 0; found.state === 'PENDING_GENERATION' && tries < 600; tries += 1) {
      await sleep(200);
      [found] = await client.getCryptoKeyVersion({ name: created.name });
    }
    expect(found.state).toBe('ENABLED');
    expect(secondsOf(found.generateTime)).toBeGreaterThan(0);
  });

  it('pages through versions', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    await fixture().createVersion(key.name);
    await fixture().createVersion(key.name);
    const options = { ...once, autoPaginate: false };
    const [first, , page] = await client.listCryptoKeyVersions({ parent: key.name, pageSize: 2 }, options);
    expect(first).toHaveLength(2);
    expect(page).toMatchObject({ totalSize: 3 });
    const [rest, , last] = await client.listCryptoKeyVersions(
      { parent: key.name, pageSize: 2, pageToken: page?.nextPageToken ?? '' },
      options,
    );
    expect(rest.map(({ name }) => name)).toEqual([`${key.name}/cryptoKeyVersions/3`]);
    expect(last?.nextPageToken).toBe('');
    const [all] = await client.listCryptoKeyVersions({ parent: key.name, pageSize: 1 });
    expect(all).toHaveLength(3);
  });

  it('refuses malformed parents, names and page tokens, and reports missing versions', async () => {
    const { client, ring } = fixture();
    const { name } = await fixture().createEmptyKey();
    await expectRefusals({
      INVALID_ARGUMENT: [
        () => client.createCryptoKeyVersion({ parent: 'locations/foo', cryptoKeyVersion: {} }),
        () => client.listCryptoKeyVersions({ parent: 'locations/foo' }),
        () => client.listCryptoKeyVersions({ parent: name, pageToken: 'nonsense' }),
        () => client.getCryptoKeyVersion({ name: 'malformed name' }),
      ],
      NOT_FOUND: [
        () => client.getCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` }),
        () => client.getCryptoKeyVersion({ name: `${ring}/cryptoKeys/none/cryptoKeyVersions/1` }),
        () => client.destroyCryptoKeyVersion({ name: `${name}/cryptoKeyVersions/1` }),
      ],
    });
  });
}

function stateTests(fixture: () => Fixture): void {
  it('disables and enables a version, and shows the new state in the key’s primary version', async () => {
    const key = await fixture().createKey();
    const version = `${key.name}/cryptoKeyVersions/1`;
    expect(await fixture().setState(version, 'DISABLED')).toMatchObject({ state: 'DISABLED' });
    const [disabled] = await fixture().client.getCryptoKey({ name: key.name });
    expect(disabled.primary).toMatchObject({ name: version, state: 'DISABLED' });
    expect(await fixture().setState(version, 'ENABLED')).toMatchObject({ state: 'ENABLED' });
  });

  it('refuses updates without a field, updates of the name, and updates to states other than ENABLED and DISABLED', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    const name = `${key.name}/cryptoKeyVersions/1`;
    const update = (cryptoKeyVersion: object, paths?: string[]) =>
      client.updateCryptoKeyVersion({
        cryptoKeyVersion,
        ...(paths === undefined ? {} : { updateMask: { paths } }),
      });
    await expectInvalid({
      'no mask': () => update({ name, state: 'DISABLED' }),
      'to PENDING_IMPORT': () => update({ name, state: 'PENDING_IMPORT' }, ['state']),
      'to DESTROYED': () => update({ name, state: 'DESTROYED' }, ['state']),
      'to nothing': () => update({ name }, ['state']),
      'the name': () => update({ name }, ['name']),
    });
  });
}

function destructionTests(fixture: () => Fixture): void {
  it.each(['ENABLED', 'DISABLED'] as const)(
    'schedules the destruction of a version that is %s',
    async (state) => {
      const key = await fixture().createKey();
      const name = `${key.name}/cryptoKeyVersions/1`;
      if (state === 'DISABLED') await fixture().setState(name, state);
      const now = Date.now() / 1000;
      const [scheduled] = await fixture().client.destroyCryptoKeyVersion({ name });
      expect(scheduled.state).toBe('DESTROY_SCHEDULED');
      expect(Math.abs(secondsOf(scheduled.destroyTime) - now - THIRTY_DAYS)).toBeLessThan(60);
    },
  );

  it('schedules a version’s destruction after the duration that its key specifies', async () => {
    const key = await fixture().createKey({ destroyScheduledDuration: { seconds: 2 * 86_400 } });
    const now = Date.now() / 1000;
    const [scheduled] = await fixture().client.destroyCryptoKeyVersion({
      name: `${key.name}/cryptoKeyVersions/1`,
    });
    expect(Math.abs(secondsOf(scheduled.destroyTime) - now - 2 * 86_400)).toBeLessThan(60);
  });

  it('refuses to destroy or change a version that is scheduled for destruction, and names the state in the error', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    const name = `${key.name}/cryptoKeyVersions/1`;
    await client.destroyCryptoKeyVersion({ name });
    const details = `The request cannot be fulfilled. Resource ${name} has value DESTROY_SCHEDULED in field crypto_key_version.state.`;
    const refused = { code: code.FAILED_PRECONDITION, details };
    expect(await refusal(client.destroyCryptoKeyVersion({ name }))).toMatchObject(refused);
    expect(await refusal(fixture().setState(name, 'ENABLED'))).toMatchObject(refused);
  });

  it('restores only versions that are scheduled for destruction, to the disabled state', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    const name = `${key.name}/cryptoKeyVersions/1`;
    expect(await refusalCode(client.restoreCryptoKeyVersion({ name }))).toBe(code.FAILED_PRECONDITION);
    await client.destroyCryptoKeyVersion({ name });
    const [restored] = await client.restoreCryptoKeyVersion({ name });
    expect(restored).toMatchObject({ state: 'DISABLED', destroyTime: null });
  });
}

function primaryTests(fixture: () => Fixture): void {
  it('keeps the primary version when a version is created', async () => {
    const key = await fixture().createKey();
    await fixture().createVersion(key.name);
    const [found] = await fixture().client.getCryptoKey({ name: key.name });
    expect(found.primary?.name).toBe(`${key.name}/cryptoKeyVersions/1`);
  });

  it('has no primary version until a version is made primary', async () => {
    const { client } = fixture();
    const key = await fixture().createEmptyKey();
    await fixture().createVersion(key.name);
    const [before] = await client.getCryptoKey({ name: key.name });
    expect(before.primary).toBeNull();
    const [after] = await client.updateCryptoKeyPrimaryVersion({ name: key.name, cryptoKeyVersionId: '1' });
    expect(after.primary?.name).toBe(`${key.name}/cryptoKeyVersions/1`);
  });

  it('refuses a missing version as the primary version, and a primary version for a key that does not encrypt', async () => {
    const { client } = fixture();
    const key = await fixture().createKey();
    expect(
      await refusal(client.updateCryptoKeyPrimaryVersion({ name: key.name, cryptoKeyVersionId: '9' })),
    ).toMatchObject({ code: code.NOT_FOUND });
    const mac = await fixture().createKey({ purpose: 'MAC', versionTemplate: { algorithm: 'HMAC_SHA256' } });
    expect(
      await refusal(client.updateCryptoKeyPrimaryVersion({ name: mac.name, cryptoKeyVersionId: '1' })),
    ).toMatchObject({ code: code.FAILED_PRECONDITION });
  });
}

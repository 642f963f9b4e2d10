import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEmulator } from '../src/index.ts';
import { code } from './conformance/fixture.ts';
import { cli } from './support/cli.ts';
import { asBuffer, connect, refusal } from './support/client.ts';
import { iam } from './support/iam.ts';
import { afterwards, clientOf, KEY, RING, start, VERSION, temporaryFolder } from './support/running.ts';

const plaintext = Buffer.from('yesterday');
const INTERNAL = 13;

async function dataFile(): Promise<string> {
  const folder = await temporaryFolder();
  return join(folder, 'data', 'keys.json');
}

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('the data file', () => {
  it('keeps keys, versions, states and policies across a restart', async () => {
    const path = await dataFile();
    const yesterday = await startEmulator({ dataFile: path, keys: [KEY] });
    const before = connect(yesterday.address);
    const [encrypted] = await before.encrypt({ name: KEY, plaintext });
    await before.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    await before.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '2' });
    await iam(before).setPolicy(RING, {
      bindings: [{ role: 'roles/viewer', members: ['user:a@example.com'] }],
    });
    const [keyBefore] = await before.getCryptoKey({ name: KEY });
    const [policyBefore] = await iam(before).getPolicy(RING);
    await before.close();
    await yesterday.close();

    const { client } = await start({ dataFile: path, keys: [KEY] });
    const [decrypted] = await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(plaintext);
    expect((await client.getCryptoKey({ name: KEY }))[0]).toEqual(keyBefore);
    expect((await iam(client).getPolicy(RING))[0]).toEqual(policyBefore);
  });

  it('can be read only by its owner, even if others could read it before', async () => {
    const path = await dataFile();
    const first = await startEmulator({ dataFile: path, keys: [KEY] });
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(path, '..'))).toBe('700');
    await first.close();
    await chmod(path, 0o644);
    await start({ dataFile: path });
    expect(await modeOf(path)).toBe('600');
  });

  it('contains every confirmed change even if the process is killed', async () => {
    const path = await dataFile();
    const child = spawn(process.execPath, [
      cli,
      '--port',
      '0',
      '--control-port',
      '0',
      '--data-file',
      path,
      '--key',
      KEY,
    ]);
    afterwards(() => Promise.resolve(child.kill('SIGKILL')));
    const [line] = await event(child.stdout, 'data');
    const address = /gRPC (\S+),/.exec(String(line))?.[1] ?? '';
    const client = clientOf(address);
    const [version] = await client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    const [encrypted] = await client.encrypt({ name: version.name ?? '', plaintext });
    child.kill('SIGKILL');
    await event(child, 'exit');

    const { client: later } = await start({ dataFile: path });
    const [decrypted] = await later.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext)).toEqual(plaintext);
  });

  it('is refused and left unchanged if its content is not the state of an emulator', async () => {
    const path = join(await temporaryFolder(), 'notes.txt');
    for (const content of [
      'my notes',
      '{}',
      '{"format":"kms-emulator/2","rings":[],"keys":[],"policies":{}}',
    ]) {
      await writeFile(path, content);
      await expect(startEmulator({ dataFile: path, keys: [KEY] })).rejects.toThrow(
        `${path} is not a data file of the KMS emulator.`,
      );
      expect(await readFile(path, 'utf8')).toBe(content);
    }
  });

  it('is never overwritten after another emulator has written it', async () => {
    const path = await dataFile();
    const reported: unknown[] = [];
    const { client } = await start({ dataFile: path, keys: [KEY], report: (error) => reported.push(error) });
    const { client: other } = await start({ dataFile: path });
    await other.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
    const content = await readFile(path, 'utf8');
    const refused = await refusal(client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} }));
    expect(refused).toMatchObject({ code: INTERNAL, details: 'Internal error encountered.' });
    expect(String(reported[0])).toContain('two emulators must not share a data file');
    expect(await readFile(path, 'utf8')).toBe(content);
  });

  it('is written before each response, so that all ciphertexts can be decrypted after a restart', async () => {
    const path = await dataFile();
    const { client } = await start({ dataFile: path, keys: [KEY], report: () => undefined });
    const folder = join(path, '..');
    await rename(folder, `${folder}-away`);
    const refused = await refusal(client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} }));
    expect(refused.code).toBe(INTERNAL);
    const second = `${KEY}/cryptoKeyVersions/2`;
    expect((await refusal(client.encrypt({ name: second, plaintext }))).code).toBe(INTERNAL);
    await rename(`${folder}-away`, folder);
    const [encrypted] = await client.encrypt({ name: second, plaintext });
    expect(encrypted.name).toBe(second);
    expect(JSON.parse(await readFile(path, 'utf8')).keys[0].versions).toHaveLength(2);
  });

  it('contains the changes of concurrent calls', async () => {
    const path = await dataFile();
    const { client } = await start({ dataFile: path, keys: [KEY] });
    await Promise.all(
      Array.from({ length: 50 }, () => client.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} })),
    );
    expect(JSON.parse(await readFile(path, 'utf8')).keys[0].versions).toHaveLength(51);
  });

  it('is optional, but without it, keys are lost when the process ends', async () => {
    const first = await startEmulator({ keys: [KEY] });
    const before = connect(first.address);
    const [encrypted] = await before.encrypt({ name: KEY, plaintext });
    await before.close();
    await first.close();
    const { client } = await start({ keys: [KEY] });
    expect(
      await refusal(client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' })),
    ).toMatchObject({ code: code.INVALID_ARGUMENT });
    expect((await client.getCryptoKeyVersion({ name: VERSION }))[0].state).toBe('ENABLED');
  });
});

import { createPublicKey, verify } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEmulator } from '../src/index.ts';
import { code } from './conformance/fixture.ts';
import { asBuffer, connect, refusal, refusalCode } from './support/client.ts';
import { iam } from './support/iam.ts';
import { clientOf, RING, start, VERSION, KEY, temporaryFolder } from './support/running.ts';

const data = Buffer.from('a report');
const SIGNING_KEY = `${RING}/cryptoKeys/reports`;
const SIGNING_VERSION = `${SIGNING_KEY}/cryptoKeyVersions/1`;

type Client = ReturnType<typeof connect>;
type Algorithm = 'EC_SIGN_P256_SHA256' | 'EC_SIGN_ED25519';

const createSigningKey = (client: Client, algorithm: Algorithm = 'EC_SIGN_P256_SHA256') =>
  client.createCryptoKey({
    parent: RING,
    cryptoKeyId: 'reports',
    cryptoKey: { purpose: 'ASYMMETRIC_SIGN', versionTemplate: { algorithm } },
  });

describe('signing', () => {
  it.each([
    ['roles/cloudkms.signer', true, false],
    ['roles/cloudkms.verifier', false, true],
    ['roles/cloudkms.signerVerifier', true, true],
    ['roles/cloudkms.publicKeyViewer', false, true],
    ['roles/cloudkms.cryptoOperator', true, true],
    ['roles/cloudkms.admin', false, false],
    ['roles/cloudkms.cryptoKeyEncrypterDecrypter', false, false],
  ])(
    'depends on the role: %s (signing permitted: %s, reading the public key permitted: %s)',
    async (role, signs, views) => {
      const email = 'worker@p.iam.gserviceaccount.com';
      const { emulator, client } = await start({ keys: [KEY], identities: { [email]: 0 } });
      await createSigningKey(client);
      await iam(client).setPolicy(SIGNING_KEY, {
        bindings: [{ role, members: [`serviceAccount:${email}`] }],
      });
      const worker = clientOf(emulator.identities[email] ?? '');
      const denied = (permission: string) => ({
        code: code.PERMISSION_DENIED,
        details: `Permission '${permission}' denied on resource '${SIGNING_VERSION}' (or it may not exist).`,
      });
      const sign = worker.asymmetricSign({ name: SIGNING_VERSION, data });
      if (signs) await expect(sign).resolves.toBeDefined();
      else expect(await refusal(sign)).toMatchObject(denied('cloudkms.cryptoKeyVersions.useToSign'));
      const view = worker.getPublicKey({ name: SIGNING_VERSION });
      if (views) await expect(view).resolves.toBeDefined();
      else expect(await refusal(view)).toMatchObject(denied('cloudkms.cryptoKeyVersions.viewPublicKey'));
    },
  );

  it('still works with the same keys after a restart', async () => {
    const folder = await temporaryFolder();
    const dataFile = join(folder, 'keys.json');
    const first = await startEmulator({ dataFile, keys: [KEY] });
    const before = connect(first.address);
    await createSigningKey(before);
    const [{ pem }] = await before.getPublicKey({ name: SIGNING_VERSION });
    await before.close();
    await first.close();
    const { client } = await start({ dataFile });
    const [{ signature }] = await client.asymmetricSign({ name: SIGNING_VERSION, data });
    expect(verify('sha256', data, createPublicKey(pem ?? ''), asBuffer(signature))).toBe(true);
  });

  it('reports an algorithm that the emulator does not implement', async () => {
    const { client } = await start({ keys: [KEY] });
    await createSigningKey(client, 'EC_SIGN_ED25519');
    for (const call of [
      client.asymmetricSign({ name: SIGNING_VERSION, data }),
      client.getPublicKey({ name: SIGNING_VERSION }),
    ])
      expect(await refusalCode(call)).toBe(code.UNIMPLEMENTED);
  });

  it('returns corrupt signatures, or ignores checksums, if a fault is injected', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    await createSigningKey(client);
    const [{ pem }] = await client.getPublicKey({ name: SIGNING_VERSION });
    emulator.injectFault({ effect: { kind: 'corrupt_response' }, method: 'AsymmetricSign', times: 1 });
    const [{ signature }] = await client.asymmetricSign({ name: SIGNING_VERSION, data });
    expect(verify('sha256', data, createPublicKey(pem ?? ''), asBuffer(signature))).toBe(false);
    emulator.injectFault({ effect: { kind: 'drop_checksums' }, method: 'AsymmetricSign' });
    const request = { name: SIGNING_VERSION, data, dataCrc32c: { value: 1 } };
    const [unverified] = await client.asymmetricSign(request);
    expect(unverified.verifiedDataCrc32c).toBe(false);
  });

  it('uses the quota of the key’s protection level, except GetPublicKey, which uses the read quota', async () => {
    const { emulator, client } = await start({ keys: [KEY] });
    await createSigningKey(client);
    // The quotas count calls per minute of the emulator's clock, so the test begins with a new minute.
    await emulator.setTime(new Date('2027-01-01T00:00:00Z'));
    emulator.setQuotas({ software: 1, read: 1 });
    await client.asymmetricSign({ name: SIGNING_VERSION, data });
    await client.getPublicKey({ name: SIGNING_VERSION });
    for (const call of [
      client.asymmetricSign({ name: SIGNING_VERSION, data }),
      client.getPublicKey({ name: SIGNING_VERSION }),
      client.getCryptoKeyVersion({ name: VERSION }),
    ])
      expect(await refusalCode(call)).toBe(code.RESOURCE_EXHAUSTED);
  });
});

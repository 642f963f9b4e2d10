import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { refusal, refusalCode } from './support/client.ts';
import { iam } from './support/iam.ts';
import { clientOf, KEY, RING, start, VERSION } from './support/running.ts';

const EMAIL = 'worker@p.iam.gserviceaccount.com';
const WORKER = `serviceAccount:${EMAIL}`;
const plaintext = Buffer.from('x');

async function startWithWorker(email = EMAIL) {
  const { emulator, client: owner } = await start({ keys: [KEY], identities: { [email]: 0 } });
  return { emulator, owner, worker: clientOf(emulator.identities[email] ?? '') };
}

const grant = (role: string, members = [WORKER]) => [{ role, members }];

describe('the emulator’s IAM', () => {
  it('lets the owner do everything without any policy', async () => {
    const { owner } = await startWithWorker();
    const [encrypted] = await owner.encrypt({ name: KEY, plaintext });
    await expect(owner.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' })).resolves.toBeDefined();
  });

  it('denies an identity everything that no policy grants, with the same text as Cloud KMS', async () => {
    const { owner, worker } = await startWithWorker();
    const [encrypted] = await owner.encrypt({ name: KEY, plaintext });
    const cases: [() => Promise<unknown>, permission: string, resource: string][] = [
      [() => worker.encrypt({ name: KEY, plaintext }), 'cryptoKeyVersions.useToEncrypt', KEY],
      [
        () => worker.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' }),
        'cryptoKeyVersions.useToDecrypt',
        KEY,
      ],
      [() => worker.getCryptoKey({ name: KEY }), 'cryptoKeys.get', KEY],
      [() => worker.getCryptoKeyVersion({ name: VERSION }), 'cryptoKeyVersions.get', VERSION],
      [() => worker.destroyCryptoKeyVersion({ name: VERSION }), 'cryptoKeyVersions.destroy', VERSION],
      [() => worker.listCryptoKeys({ parent: RING }), 'cryptoKeys.list', RING],
      [() => worker.getKeyRing({ name: RING }), 'keyRings.get', RING],
      [
        () => worker.listKeyRings({ parent: 'projects/p/locations/global' }),
        'keyRings.list',
        'projects/p/locations/global',
      ],
      [
        () => worker.createKeyRing({ parent: 'projects/p/locations/global', keyRingId: 'n', keyRing: {} }),
        'keyRings.create',
        'projects/p/locations/global',
      ],
      [() => iam(worker).getPolicy(KEY), 'cryptoKeys.getIamPolicy', KEY],
      [
        () => iam(worker).setPolicy(KEY, { bindings: grant('roles/cloudkms.admin') }),
        'cryptoKeys.setIamPolicy',
        KEY,
      ],
    ];
    for (const [call, permission, resource] of cases) {
      expect(await refusal(call())).toMatchObject({
        code: code.PERMISSION_DENIED,
        details: `Permission 'cloudkms.${permission}' denied on resource '${resource}' (or it may not exist).`,
      });
    }
  });

  it('does not show callers without permission whether a key exists', async () => {
    const { emulator, worker } = await startWithWorker();
    const missing = `${RING}/cryptoKeys/none`;
    const denied = await refusal(worker.encrypt({ name: missing, plaintext }));
    expect(denied).toMatchObject({
      code: code.PERMISSION_DENIED,
      details: `Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '${missing}' (or it may not exist).`,
    });
    await emulator.setPolicy(RING, grant('roles/cloudkms.cryptoKeyEncrypter'));
    expect(await refusalCode(worker.encrypt({ name: missing, plaintext }))).toBe(code.NOT_FOUND);
  });

  it('separates the permissions to encrypt and to decrypt', async () => {
    const { owner, worker } = await startWithWorker();
    const { setPolicy } = iam(owner);
    await setPolicy(KEY, { bindings: grant('roles/cloudkms.cryptoKeyEncrypter') });
    const [encrypted] = await worker.encrypt({ name: KEY, plaintext });
    const decrypt = () => worker.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(await refusalCode(decrypt())).toBe(code.PERMISSION_DENIED);

    await setPolicy(KEY, { bindings: grant('roles/cloudkms.cryptoKeyDecrypter') });
    await expect(decrypt()).resolves.toBeDefined();
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
  });

  it('lets an administrator change keys but not use them', async () => {
    const { owner, worker } = await startWithWorker();
    await iam(owner).setPolicy(KEY, { bindings: grant('roles/cloudkms.admin') });
    await expect(worker.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} })).resolves.toBeDefined();
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
  });

  it('does not apply the policies of other projects, key rings and keys to a resource', async () => {
    const { emulator, worker } = await startWithWorker();
    for (const resource of ['projects/other', `${RING}2`, `${KEY}2`]) {
      await emulator.setPolicy(resource, grant('roles/owner'));
    }
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
  });

  it.each([
    [EMAIL, 'allUsers'],
    [EMAIL, 'allAuthenticatedUsers'],
    ['alice@example.com', 'domain:example.com'],
    ['alice@example.com', 'user:alice@example.com'],
  ])('counts the identity %s as the member %s', async (email, member) => {
    const { emulator, worker } = await startWithWorker(email);
    await emulator.setPolicy(KEY, grant('roles/cloudkms.cryptoKeyEncrypter', [member]));
    await expect(worker.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
  });

  it.each([
    [EMAIL, 'domain:p.iam.gserviceaccount.com'],
    [EMAIL, `user:${EMAIL}`],
    ['alice@example.com', 'serviceAccount:alice@example.com'],
    ['alice@sub.example.com', 'domain:example.com'],
    ['alice@example.com', 'group:example@example.com'],
  ])('does not count the identity %s as the member %s', async (email, member) => {
    const { emulator, worker } = await startWithWorker(email);
    await emulator.setPolicy(KEY, grant('roles/cloudkms.cryptoKeyEncrypter', [member]));
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
  });

  it.each([
    ['the key', KEY],
    ['the key ring', RING],
    ['the project', 'projects/p'],
  ])('applies a role to key versions if the role is granted on %s', async (_, resource) => {
    const { emulator, worker } = await startWithWorker();
    await emulator.setPolicy(resource, grant('roles/cloudkms.cryptoKeyEncrypterDecrypter'));
    await expect(worker.encrypt({ name: VERSION, plaintext })).resolves.toBeDefined();
    await emulator.setPolicy(resource, grant('roles/cloudkms.viewer'));
    const [version] = await worker.getCryptoKeyVersion({ name: VERSION });
    expect(version).toMatchObject({ name: VERSION, state: 'ENABLED' });
    expect(await refusalCode(worker.destroyCryptoKeyVersion({ name: VERSION }))).toBe(code.PERMISSION_DENIED);
    await emulator.setPolicy(resource, grant('roles/cloudkms.admin'));
    const [destroyed] = await worker.destroyCryptoKeyVersion({ name: VERSION });
    expect(destroyed).toMatchObject({ state: 'DESTROY_SCHEDULED' });
  });

  it('accepts every Cloud KMS permission in TestIamPermissions', async () => {
    const { owner, worker } = await startWithWorker();
    await iam(owner).setPolicy(KEY, { bindings: grant('roles/cloudkms.cryptoOperator') });
    // Queries the permissions that HashiCorp's go-kms-wrapping and Terraform query, and permissions that the
    // worker's role lacks.
    const asked = [
      'cloudkms.cryptoKeyVersions.useToSign',
      'cloudkms.cryptoKeyVersions.useToVerify',
      'cloudkms.cryptoKeyVersions.viewPublicKey',
      'cloudkms.ekmConnections.verifyConnectivity',
      'cloudkms.importJobs.useToImport',
    ];
    const [mine] = await iam(worker).testPermissions(KEY, asked);
    expect(mine.permissions).toEqual(asked.slice(0, 3));
    const [all] = await iam(owner).testPermissions(KEY, asked);
    expect(all.permissions).toEqual(asked);
    const unknown = [
      'cloudkms.cryptoKeys.fly',
      'cloudkms.*',
      'storage.objects.get',
      'resourcemanager.projects.get',
    ];
    for (const wrong of unknown) {
      expect(await refusalCode(iam(worker).testPermissions(KEY, [wrong]))).toBe(code.INVALID_ARGUMENT);
    }
  });

  it('returns a policy with one binding per role, and changes the etag with the policy', async () => {
    const { owner } = await startWithWorker();
    const { getPolicy, setPolicy } = iam(owner);
    const role = 'roles/cloudkms.cryptoKeyEncrypter';
    await setPolicy(KEY, { bindings: [...grant(role), ...grant(role, ['user:b@example.com', WORKER])] });
    const [policy] = await getPolicy(KEY);
    expect(policy).toMatchObject({
      version: 1,
      bindings: [{ role, members: [WORKER, 'user:b@example.com'] }],
    });
    const [after] = await setPolicy(KEY, { bindings: [], etag: policy.etag });
    expect(after.etag).not.toEqual(policy.etag);
  });

  it('applies a policy change after the configured delay', async () => {
    const { emulator, worker } = await startWithWorker();
    emulator.setPropagation({ iam: 600 });
    await emulator.setPolicy(KEY, grant('roles/cloudkms.cryptoKeyEncrypter'));
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
    await emulator.advance(601);
    await expect(worker.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
    await emulator.setPolicy(KEY, []);
    await expect(worker.encrypt({ name: KEY, plaintext })).resolves.toBeDefined();
    await emulator.advance(601);
    expect(await refusalCode(worker.encrypt({ name: KEY, plaintext }))).toBe(code.PERMISSION_DENIED);
  });

  it('refuses identities that are not e-mail addresses', async () => {
    await expect(start({ identities: { nobody: 0 } })).rejects.toThrow(/"nobody" is not an identity/);
  });
});

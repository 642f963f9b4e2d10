import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { codecServerEnvironment, parseConfig, workerEnvironment } from '@temporal-kms/config';
import { describe, expect, it } from 'vitest';
import {
  ADMIN,
  KEY,
  member,
  RING,
  startCloud,
  temporalKms,
  temporaryFolder,
  WORKER,
  type RunOptions,
} from '../support/cli.ts';

const CODEC = 'codec@acme.iam.gserviceaccount.com';
const STARTER = 'starter@acme.iam.gserviceaccount.com';
const NOW = new Date('2030-01-01T00:00:00Z');

/**
 * Creates an empty project. By default, the project's key administrator may also change the audit
 * configuration.
 */
async function emptyProject(roles = ['roles/cloudkms.admin', 'roles/resourcemanager.projectIamAdmin']) {
  const cloud = await startCloud({ keys: [] });
  await cloud.emulator.setTime(NOW);
  for (const role of roles) await cloud.grant(ADMIN, role, 'projects/acme');
  const { KMS_EMULATOR_HOST = '' } = cloud.as(ADMIN);
  const folder = await temporaryFolder();
  const setup = (args: readonly string[], options: RunOptions = {}) =>
    temporalKms(['setup', '--project', 'acme', '--location', 'us-east1', '--out', folder, ...args], {
      now: () => NOW,
      ...options,
      env: { KMS_EMULATOR_HOST, ...options.env },
    });
  return { ...cloud, setup, folder };
}

const programs = ['--worker', WORKER, '--starter', STARTER, '--codec-server', CODEC];

describe('temporal-kms setup', () => {
  it('creates a key ring, a key with rotation, least-privilege bindings and audit logs in an empty project', async () => {
    const { setup, owner, emulator } = await emptyProject();
    const { code, json } = await setup([...programs, '--yes', '--json']);
    expect(code).toBe(0);
    expect(json().steps.map(({ status }: any) => status)).toEqual(Array(7).fill('done'));

    const [key] = await owner.getCryptoKey({ name: KEY });
    expect(key).toMatchObject({
      purpose: 'ENCRYPT_DECRYPT',
      rotationPeriod: { seconds: String(90 * 86_400) },
      nextRotationTime: { seconds: String(Date.parse('2030-04-01T00:00:00Z') / 1000) },
      versionTemplate: { protectionLevel: 'SOFTWARE' },
      primary: { state: 'ENABLED' },
    });
    expect(emulator.policy(KEY).bindings).toEqual(
      expect.arrayContaining([
        { role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter', members: [member(WORKER)] },
        { role: 'roles/cloudkms.cryptoKeyEncrypter', members: [member(STARTER)] },
        { role: 'roles/cloudkms.cryptoKeyDecrypter', members: [member(CODEC)] },
        { role: 'roles/cloudkms.viewer', members: [member(CODEC)] },
      ]),
    );
    expect(emulator.policy(KEY).bindings).toHaveLength(4);
    expect(emulator.policy(RING).bindings).toEqual([]);
    expect(emulator.policy('projects/acme').auditConfigs).toMatchObject([
      {
        service: 'cloudkms.googleapis.com',
        auditLogConfigs: [{ logType: 'ADMIN_READ' }, { logType: 'DATA_READ' }, { logType: 'DATA_WRITE' }],
      },
    ]);
    // The project's bindings are unchanged.
    expect(emulator.policy('projects/acme').bindings).toHaveLength(2);
  });

  it('changes nothing when run again', async () => {
    const { setup, emulator } = await emptyProject();
    await setup([...programs, '--yes']);
    const policies = [emulator.policy(KEY), emulator.policy('projects/acme')];
    emulator.calls.reset();
    const { code, out, json } = await setup([...programs, '--json']);
    expect([code, json().steps.every(({ status }: any) => status === 'exists')]).toEqual([0, true]);
    expect(json().files.map(({ status }: any) => status)).toEqual(['exists', 'exists', 'exists']);
    expect(out).not.toContain('"done"');
    for (const method of ['CreateKeyRing', 'CreateCryptoKey', 'UpdateCryptoKey', 'SetIamPolicy']) {
      expect(emulator.calls.count(method), method).toBe(0);
    }
    expect([emulator.policy(KEY), emulator.policy('projects/acme')]).toEqual(policies);
  });

  it('completes an interrupted run', async () => {
    const { setup, emulator } = await emptyProject();
    emulator.injectFault({
      effect: { kind: 'error', status: 'UNAVAILABLE' },
      method: 'SetIamPolicy',
      times: 1,
    });
    const interrupted = await setup([...programs, '--yes']);
    expect(interrupted.code).toBe(69);
    const { code, json } = await setup([...programs, '--yes', '--json']);
    expect(code).toBe(0);
    expect(json().steps.map(({ status }: any) => status)).toEqual([
      'exists',
      'exists',
      ...Array(5).fill('done'),
    ]);
  });

  it('prints the equivalent gcloud commands in a dry run, and changes nothing', async () => {
    const { setup, emulator, folder } = await emptyProject();
    const { code, out } = await setup([...programs, '--dry-run']);
    expect(code).toBe(0);
    expect(out.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
      'gcloud services enable cloudkms.googleapis.com --project=acme',
      'gcloud kms keyrings create temporal-keys --location=us-east1 --project=acme',
      'gcloud kms keys create workflow-encryption --keyring=temporal-keys --location=us-east1 --project=acme ' +
        '--purpose=encryption --protection-level=software --rotation-period=90d --next-rotation-time=2030-04-01T00:00:00Z',
      ...[
        ['worker', 'cryptoKeyEncrypterDecrypter'],
        ['starter', 'cryptoKeyEncrypter'],
        ['codec', 'cryptoKeyDecrypter'],
        ['codec', 'viewer'],
      ].map(
        ([who, role]) =>
          'gcloud kms keys add-iam-policy-binding workflow-encryption --keyring=temporal-keys --location=us-east1 ' +
          `--project=acme --member=serviceAccount:${who}@acme.iam.gserviceaccount.com --role=roles/cloudkms.${role}`,
      ),
      'gcloud projects get-iam-policy acme --format=json > policy.json',
      expect.stringMatching(/^jq '\.auditConfigs = \[\.auditConfigs\[\]\? .*"DATA_READ"/),
      'gcloud projects set-iam-policy acme new-policy.json',
    ]);
    expect(emulator.calls.count('CreateKeyRing')).toBe(0);
    await expect(stat(join(folder, 'worker.env'))).rejects.toThrow('ENOENT');
  });

  it('shows each step before asking, and changes nothing unless the answer is yes', async () => {
    const { setup, emulator } = await emptyProject();
    const { code, out, err } = await setup(programs, { answer: 'n' });
    expect(code).toBe(64);
    expect(out).toMatch(/^to do +key ring temporal-keys in us-east1$/m);
    expect(out).toMatch(/^ +gcloud kms keyrings create/m);
    expect(err).toContain('Execute 10 steps? [y/N]');
    expect(emulator.calls.count('CreateKeyRing')).toBe(0);
    const confirmed = await setup(programs, { answer: 'y' });
    expect([confirmed.code, emulator.calls.count('CreateKeyRing')]).toEqual([0, 1]);
  });

  it('requires --yes if there is no terminal', async () => {
    const { setup, emulator } = await emptyProject();
    const { code, err } = await setup(programs);
    expect(code).toBe(64);
    expect(err).toContain('type: temporal-kms setup … --yes');
    expect(emulator.calls.count('CreateKeyRing')).toBe(0);
  });

  it('creates HSM keys in any location, with the requested rotation', async () => {
    const { setup, owner } = await emptyProject();
    const args = ['--location', 'europe-west3', '--protection-level', 'hsm', '--rotation', '30', '--yes'];
    expect((await setup(args)).code).toBe(0);
    const [key] = await owner.getCryptoKey({ name: KEY.replace('us-east1', 'europe-west3') });
    expect(key).toMatchObject({
      versionTemplate: { protectionLevel: 'HSM' },
      rotationPeriod: { seconds: String(30 * 86_400) },
    });
  });

  it('lets the codec server encrypt with --encode, and does not let it see key states with --no-key-states', async () => {
    const { setup, emulator } = await emptyProject();
    await setup(['--codec-server', CODEC, '--encode', '--no-key-states', '--no-audit-logs', '--yes']);
    expect(emulator.policy(KEY).bindings).toEqual([
      { role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter', members: [member(CODEC)] },
    ]);
    expect(emulator.policy('projects/acme').auditConfigs).toBeUndefined();
  });

  it('keeps existing bindings, and reports roles that a program does not need', async () => {
    const { setup, emulator, grant } = await emptyProject();
    await setup(['--yes']);
    await grant(WORKER, 'roles/cloudkms.admin');
    await grant('other@acme.iam.gserviceaccount.com', 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
    const { json } = await setup(['--worker', WORKER, '--yes', '--json']);
    expect(json().steps[2]).toMatchObject({
      status: 'done',
      note: 'this member also has roles/cloudkms.admin, which worker does not need',
    });
    expect(emulator.policy(KEY).bindings).toContainEqual({
      role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter',
      members: ['serviceAccount:other@acme.iam.gserviceaccount.com', member(WORKER)],
    });
  });

  it('adds a rotation to a key that has none, and keeps an existing rotation unless --rotation sets a period', async () => {
    const { setup, owner } = await emptyProject();
    await owner.createKeyRing({
      parent: 'projects/acme/locations/us-east1',
      keyRingId: 'temporal-keys',
      keyRing: {},
    });
    await owner.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'workflow-encryption',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
    });
    const period = async () =>
      Number((await owner.getCryptoKey({ name: KEY }))[0].rotationPeriod?.seconds ?? 0);
    await setup(['--yes']);
    expect(await period()).toBe(90 * 86_400);
    await setup(['--rotation', '30', '--yes']);
    await setup(['--yes']);
    expect(await period()).toBe(30 * 86_400);
  });

  it('refuses an existing key whose purpose or protection level differs from the requested one', async () => {
    const { setup, owner } = await emptyProject();
    await setup(['--yes']);
    const hsm = await setup(['--protection-level', 'hsm', '--yes']);
    expect([hsm.code, hsm.err]).toEqual([1, expect.stringContaining('protection level SOFTWARE')]);
    await owner.createCryptoKey({
      parent: RING,
      cryptoKeyId: 'signing',
      cryptoKey: { purpose: 'MAC', versionTemplate: { algorithm: 'HMAC_SHA256' } },
    });
    const mac = await setup(['--key', 'signing', '--yes']);
    expect([mac.code, mac.err]).toEqual([1, expect.stringContaining('purpose MAC')]);
  });

  it('keeps the audit configurations of other services, and the members that are exempt from audit logs', async () => {
    const { setup, emulator, projects } = await emptyProject();
    const storage = {
      service: 'storage.googleapis.com',
      auditLogConfigs: [{ logType: 'DATA_READ' as const, exemptedMembers: [] }],
    };
    const own = {
      service: 'cloudkms.googleapis.com',
      auditLogConfigs: [{ logType: 'DATA_READ' as const, exemptedMembers: ['user:ana@example.com'] }],
    };
    await projects.setIamPolicy({
      resource: 'projects/acme',
      policy: { auditConfigs: [own, storage] },
      updateMask: { paths: ['audit_configs'] },
    });
    const dryRun = await setup(['--dry-run', '--json']);
    expect(dryRun.json().steps.at(-1).gcloud[1]).toContain('"exemptedMembers":["user:ana@example.com"]');
    expect((await setup(['--yes'])).code).toBe(0);
    expect(emulator.policy('projects/acme').auditConfigs).toMatchObject([
      storage,
      {
        service: 'cloudkms.googleapis.com',
        auditLogConfigs: [
          own.auditLogConfigs[0],
          { logType: 'ADMIN_READ' },
          { logType: 'DATA_WRITE', exemptedMembers: [] },
        ],
      },
    ]);
  });

  it('prints commands for an administrator if it may not change audit logs, and does everything else', async () => {
    const { setup, emulator } = await emptyProject(['roles/cloudkms.admin']);
    const { code, json } = await setup(['--yes', '--json']);
    expect(code).toBe(0);
    expect(json().steps.at(-1)).toMatchObject({
      status: 'not possible',
      note: expect.stringContaining('resourcemanager.projects.getIamPolicy'),
      gcloud: expect.arrayContaining(['gcloud projects set-iam-policy acme new-policy.json']),
    });
    expect(emulator.policy('projects/acme').auditConfigs).toBeUndefined();
  });

  it('names the missing role if the caller may not create keys', async () => {
    const { setup } = await emptyProject([]);
    const { code, err } = await setup(['--yes']);
    expect(code).toBe(77);
    expect(err).toContain(
      'type: gcloud projects add-iam-policy-binding acme --member=user:YOUR-ADDRESS --role=roles/cloudkms.admin',
    );
  });

  it('refuses a location that Cloud KMS does not have, and members without a type', async () => {
    const { setup } = await emptyProject();
    const place = await setup(['--location', 'moon-east1', '--yes']);
    expect([place.code, place.err]).toEqual([66, expect.stringContaining('gcloud kms locations list')]);
    const who = await setup(['--worker', 'ana@example.com', '--yes']);
    expect([who.code, who.err]).toEqual([64, expect.stringContaining('user:ana@example.com')]);
  });

  it('writes configuration files that the applications accept, and keeps existing files with other content', async () => {
    const { setup, folder } = await emptyProject();
    const options = [
      '--namespace',
      'payments',
      '--namespace',
      'orders',
      '--temporal-address',
      'temporal:7233',
      '--web-ui',
      'https://ui.example.com',
    ];
    await setup([...options, '--yes']);
    const read = async (name: string) => readFile(join(folder, name), 'utf8');
    const worker = parseEnv(await read('worker.env'));
    expect(worker).toMatchObject({
      KMS_KEYS_FILE: join(folder, 'keys.yaml'),
      TEMPORAL_ADDRESS: 'temporal:7233',
      TEMPORAL_NAMESPACE: 'payments',
    });
    expect(worker).not.toHaveProperty('GCP_KMS_KEY');
    // The written configuration uses the key only for the namespaces that the options name.
    const { rules } = parseConfig(workerEnvironment, worker).kms;
    expect([rules.namespaces, rules.hasDefault]).toEqual([['payments', 'orders'], false]);
    for (const namespace of rules.namespaces) expect(rules.resolve(namespace).encrypt).toBe(KEY);
    const codecServer = parseConfig(codecServerEnvironment, parseEnv(await read('codec-server.env')));
    expect(codecServer.corsOrigins).toEqual(['https://ui.example.com']);
    expect((await stat(join(folder, 'worker.env'))).mode & 0o777).toBe(0o600);
    // Other variables are in the file as comments, and can be uncommented.
    const commented = (await read('worker.env')).replaceAll(/^#(?=[A-Z_]+=)/gm, '');
    expect(parseEnv(commented)).toHaveProperty('WORKER_METRICS_PORT');

    await writeFile(join(folder, 'worker.env'), 'GCP_PROJECT=mine\n');
    await chmod(join(folder, 'worker.env'), 0o644);
    const kept = await setup([...options, '--json']);
    expect(kept.json().files.map(({ status }: any) => status)).toEqual(['exists', 'differs', 'exists']);
    expect(await read('worker.env')).toBe('GCP_PROJECT=mine\n');
    await setup([...options, '--overwrite', '--yes']);
    expect((await stat(join(folder, 'worker.env'))).mode & 0o777).toBe(0o600);
    expect(await read('worker.env')).toContain('KMS_KEYS_FILE=');
  });
});

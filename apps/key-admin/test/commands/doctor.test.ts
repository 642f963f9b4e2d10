import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { describe, expect, it, vi } from 'vitest';
import {
  afterwards,
  type Cloud,
  KEY,
  keysFile,
  RING,
  startCloud,
  temporalKms,
  temporaryFile,
  temporaryFolder,
  WORKER,
} from '../support/cli.ts';
import { useTemporal } from '../support/temporal.ts';

const temporal = useTemporal();

/**
 * Starts Cloud KMS with `keys`, and grants the worker's role on {@link KEY}. The returned `doctor` runs the command
 * with a worker's variables.
 */
async function startWorkable(namespaces?: Record<string, object>, keys = [KEY]) {
  const cloud = await startCloud({ keys });
  await cloud.grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  const { KMS_EMULATOR_HOST, ...key } = cloud.as(WORKER);
  const file = namespaces && (await keysFile(namespaces));
  const doctor = (env: Record<string, string> = {}, args: readonly string[] = []) =>
    temporalKms(['doctor', '--app', 'worker', '--json', ...args], {
      env: {
        KMS_EMULATOR_HOST,
        ...(file === undefined ? key : { KMS_KEYS_FILE: file }),
        TEMPORAL_ADDRESS: temporal.address,
        ...env,
      },
    });
  return { ...cloud, doctor, file };
}

interface Check {
  readonly check: string;
  readonly status: string;
  readonly text: string;
  readonly fix: readonly string[];
  readonly milliseconds?: number;
}

/** Returns the failed checks, after checking that each names the commands to type. */
function failures({ code, json }: Awaited<ReturnType<typeof temporalKms>>): Check[] {
  const failed: Check[] = json().checks.filter(({ status }: Check) => status === 'failed');
  expect(code).toBe(failed.length === 0 ? 0 : 1);
  expect(json().ok).toBe(failed.length === 0);
  for (const { text, fix } of failed) expect(fix.length, text).toBeGreaterThan(0);
  return failed;
}

describe('temporal-kms doctor --app worker', () => {
  it('checks variables, permissions, a round trip with its duration, Temporal and the namespace', async () => {
    const { doctor } = await startWorkable();
    const ran = await doctor();
    expect(failures(ran)).toEqual([]);
    const checks: Check[] = ran.json().checks;
    const texts = (name: string) => checks.filter(({ check }) => check === name).map(({ text }) => text);
    expect(texts('variables')).toEqual(['the variables of worker are valid']);
    expect(texts('permissions')).toEqual([`this identity may encrypt and decrypt with ${KEY}`]);
    expect(texts('round trip')[0]).toMatch(
      /^a payload of default was encrypted and decrypted: wrap \d+ ms, unwrap \d+ ms$/,
    );
    expect(checks.find(({ check }) => check === 'round trip')?.milliseconds).toBeGreaterThanOrEqual(0);
    expect(texts('temporal')).toEqual([
      `Temporal answers at ${temporal.address}`,
      expect.stringMatching(/^the namespace default exists and keeps closed workflows for \d+ (hours|days)$/),
    ]);
  });

  it('prints a line for each check, and the number of checks with each result', async () => {
    const { as, grant } = await startCloud();
    await grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypter');
    const { code, out } = await temporalKms(['doctor', '--app', 'worker'], {
      env: { ...as(WORKER), TEMPORAL_ADDRESS: temporal.address },
    });
    expect(code).toBe(1);
    expect(out).toMatch(/^ok +variables +the variables of worker are valid$/m);
    expect(out).toMatch(/^FAILED +permissions +this identity may not decrypt/m);
    expect(out).toMatch(/^ +type: gcloud kms keys add-iam-policy-binding workflow-encryption /m);
    expect(out).toMatch(/\d+ ok, 0 with a warning, [12] failed, \d+ skipped\n$/);
  });

  it('reports every mistake in the variables', async () => {
    const { code, json } = await temporalKms(['doctor', '--app', 'worker', '--json'], {
      env: { WORKER_HEALTH_PORT: 'x', GCP_PROJECT: 'acme', KMS_FORMAT: 'rot13' },
    });
    expect(code).toBe(1);
    const checks: Check[] = json().checks;
    expect(new Set(checks.map(({ text }) => text.split(' ')[0]))).toEqual(
      new Set(['GCP_KMS_KEY', 'GCP_KMS_KEY_RING', 'KMS_FORMAT', 'WORKER_HEALTH_PORT']),
    );
    expect(checks.find(({ text }) => text.startsWith('GCP_KMS_KEY_RING'))?.fix).toEqual([
      'export GCP_KMS_KEY_RING=temporal-keys',
    ]);
  });

  it('warns about a misspelt variable', async () => {
    const { doctor } = await startWorkable();
    const { json } = await doctor({ WORKER_HELTH_PORT: '8089', KMS_BIND_WORKFLOWS: 'true' });
    expect(json().checks.filter(({ status }: Check) => status === 'warning')).toHaveLength(2);
    expect(json().checks).toContainEqual(
      expect.objectContaining({ status: 'warning', text: expect.stringContaining('WORKER_HELTH_PORT') }),
    );
  });

  it.each<[string, (cloud: Cloud) => Promise<unknown>, string, string]>([
    [
      'no role',
      ({ emulator }) => emulator.setPolicy(KEY, []),
      'this identity may not encrypt',
      'roles/cloudkms.cryptoKeyEncrypterDecrypter',
    ],
    [
      'a disabled key version',
      ({ emulator }) => emulator.setVersionState(`${KEY}/cryptoKeyVersions/1`, 'DISABLED'),
      'key_disabled',
      '',
    ],
    [
      'a destroyed key version',
      async ({ emulator, grant }) => {
        await emulator.setVersionState(`${KEY}/cryptoKeyVersions/1`, 'DESTROYED');
        await grant(WORKER, 'roles/cloudkms.viewer');
      },
      'is DESTROYED, so the key cannot encrypt',
      `temporal-kms rotate --key ${KEY}`,
    ],
    [
      'a key version scheduled for destruction',
      async ({ emulator, grant }) => {
        await emulator.setVersionState(`${KEY}/cryptoKeyVersions/1`, 'DESTROY_SCHEDULED');
        await grant(WORKER, 'roles/cloudkms.viewer');
      },
      'is DESTROY_SCHEDULED',
      'gcloud kms keys versions restore 1',
    ],
  ])('fails with %s, and states the command to type', async (_, damage, text, fix) => {
    const cloud = await startWorkable();
    await damage(cloud);
    const failed = failures(await cloud.doctor());
    expect(failed.map((one) => one.text).join('\n')).toContain(text);
    expect(failed.flatMap((one) => one.fix).join('\n')).toContain(fix);
  });

  it('fails while Cloud KMS does not answer', async () => {
    const cloud = await startWorkable();
    cloud.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const ran = await cloud.doctor();
    expect(failures(ran)).toMatchObject([{ check: 'permissions', fix: ['unset KMS_EMULATOR_HOST'] }]);
  });

  it('warns if the identity may administer the key', async () => {
    const { doctor, grant } = await startWorkable();
    await grant(WORKER, 'roles/cloudkms.admin');
    const { json } = await doctor();
    expect(json().checks).toContainEqual(
      expect.objectContaining({
        check: 'permissions',
        status: 'warning',
        text: expect.stringContaining('cloudkms.cryptoKeyVersions.destroy'),
      }),
    );
  });

  it('fails if Temporal does not answer, or if the namespace does not exist', async () => {
    const { doctor } = await startWorkable();
    const [away] = failures(await doctor({ TEMPORAL_ADDRESS: '127.0.0.1:1' }));
    expect(away).toMatchObject({
      check: 'temporal',
      fix: expect.arrayContaining(['export TEMPORAL_ADDRESS=host:7233']),
    });
    const [missing] = failures(await doctor({ TEMPORAL_NAMESPACE: 'missing' }));
    expect(missing?.text).toContain('the namespace missing does not exist');
    expect(missing?.fix[1]).toContain('temporal operator namespace create --namespace missing');
  });

  it('fails if the keys file has no rule for the namespace', async () => {
    const { doctor, file } = await startWorkable({ payments: { encrypt: KEY } });
    expect(failures(await doctor())).toMatchObject([
      {
        check: 'round trip',
        text: expect.stringMatching(/namespace default; .*keys\.yaml names payments$/),
        fix: [`$EDITOR ${file}`, 'export TEMPORAL_NAMESPACE=payments'],
      },
    ]);
  });

  it('looks up the checked namespaces in Temporal, and warns about namespaces of the keys file that do not exist', async () => {
    const { doctor } = await startWorkable({ default: { encrypt: KEY }, paymets: { encrypt: KEY } });
    const ran = await doctor();
    expect(failures(ran)).toEqual([]);
    expect(ran.json().checks.filter(({ status }: Check) => status === 'warning')).toMatchObject([
      { check: 'temporal', text: expect.stringContaining('paymets') },
    ]);
    const named = await doctor({}, ['--namespace', 'paymets']);
    expect(failures(named)).toMatchObject([{ check: 'temporal', text: expect.stringContaining('paymets') }]);
  });

  it('with --app codec-server, checks only namespaces that the keys file names', async () => {
    const { doctor, emulator, grant } = await startWorkable({ payments: { encrypt: KEY } });
    await emulator.setPolicy(KEY, []);
    await grant(WORKER, 'roles/cloudkms.cryptoKeyDecrypter');
    const ran = await doctor({}, ['--app', 'codec-server', '--codec-url', 'http://127.0.0.1:1']);
    expect(failures(ran).map(({ check }) => check)).toEqual(['codec server']);
    expect(JSON.stringify(ran.json().checks)).not.toContain('namespace default');
  });

  it('checks the storage file and each store with --app codec-server, and states what to do', async () => {
    const { doctor } = await startWorkable();
    const folder = await temporaryFolder();
    const file = join(folder, 'storage.yaml');
    const check = async (): Promise<Check[]> => {
      const args = ['--app', 'codec-server', '--codec-url', 'http://127.0.0.1:1'];
      const ran = await doctor({ CODEC_STORAGE_FILE: file }, args);
      failures(ran);
      return ran.json().checks.filter((one: Check) => one.check === 'external storage');
    };
    const fix = [`ls -l ${file}`, `$EDITOR ${file}`];
    const text = `CODEC_STORAGE_FILE cannot be read: ${file} does not exist`;
    expect(await check()).toMatchObject([{ status: 'failed', text, fix }]);

    const responses: Record<string, readonly [number, string]> = {
      works: [404, 'NoSuchKey'],
      forbidden: [403, 'AccessDenied'],
      refused: [403, 'InvalidAccessKeyId'],
      missing: [404, 'NoSuchBucket'],
    };
    const methods = new Set<string | undefined>();
    const server = createServer(({ method, url = '' }, response) => {
      methods.add(method);
      const [status, code] = responses[url.split('/')[1] ?? ''] ?? [500, ''];
      response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    afterwards(() => server.close());
    const address = server.address();
    const endpoint = `http://127.0.0.1:${typeof address === 'object' ? address!.port : 0}`;
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    afterwards(() => vi.unstubAllEnvs());
    const stores: object[] = Object.keys(responses).map((bucket) => ({
      type: 's3',
      bucket,
      region: 'eu-west-1',
      endpoint,
    }));
    stores.push({ type: 'directory', bucket: 'local', path: 'none' });
    await writeFile(file, `${JSON.stringify({ namespaces: { payments: stores } })}\n...\n`, { mode: 0o600 });
    expect(await check()).toMatchObject([
      { status: 'ok', text: 's3://works/ of the namespace payments answers' },
      { status: 'warning', text: expect.stringContaining('needs s3:GetObject and s3:ListBucket') },
      { status: 'failed', text: expect.stringContaining('refuses these credentials (InvalidAccessKeyId)') },
      {
        status: 'failed',
        text: expect.stringContaining('the bucket does not exist'),
        fix: [`aws s3 ls s3://missing/v0/ns/payments/ --region eu-west-1 --endpoint-url ${endpoint}`],
      },
      { status: 'failed', text: expect.stringContaining('(ENOENT)'), fix: [`ls -l ${join(folder, 'none')}`] },
    ]);
    expect(methods).toEqual(new Set(['GET']));
  });

  it('names the file that contains a mistake', async () => {
    const file = await temporaryFile('keys.yaml', 'namespaces:\n  payments: { encrpt: x }\n...\n');
    const env = { KMS_KEYS_FILE: file };
    const ran = await temporalKms(['doctor', '--app', 'worker', '--json'], { env });
    expect(failures(ran)).toMatchObject([{ fix: [`ls -l ${file}`, `$EDITOR ${file}`] }]);
    expect((await temporalKms(['keys', '--json'], { env })).json().error.fix).toContain(`$EDITOR ${file}`);
  });

  it('checks the keys of every namespace in a keys file', async () => {
    const old = `${RING}/cryptoKeys/old`;
    const { doctor, emulator } = await startWorkable({ payments: { encrypt: KEY, decrypt: [old] } }, [
      KEY,
      old,
    ]);
    const ran = await doctor({ TEMPORAL_NAMESPACE: 'payments' });
    expect(ran.json().checks).toContainEqual(
      expect.objectContaining({
        status: 'failed',
        text: expect.stringContaining(`may not decrypt with ${old}`),
      }),
    );
    expect(emulator.calls.count('Encrypt')).toBe(1);
  });

  it('reads from and writes to the branch-key store, and states what to do if other users can write to the store', async () => {
    const { doctor } = await startWorkable();
    const folder = join(await temporaryFolder(), 'branch-keys');
    await mkdir(folder, { mode: 0o700 });
    const env = { KMS_BRANCH_KEYS: `file:${folder}` };
    for (const _ of [1, 2]) {
      const works = await doctor(env);
      expect(failures(works)).toEqual([]);
      expect(works.json().checks).toContainEqual(
        expect.objectContaining({
          check: 'branch-key store',
          text: `file:${folder} can be read and written`,
        }),
      );
    }
    await chmod(folder, 0o777);
    expect(failures(await doctor(env))).toMatchObject([
      {
        check: 'branch-key store',
        text: expect.stringContaining('untrusted'),
        fix: expect.arrayContaining([`chmod -R go-w ${folder}`]),
      },
    ]);
  });

  it('does not print plaintext or key bytes', async () => {
    const { doctor, plaintexts } = await startWorkable();
    const { out, err } = await doctor();
    expect(plaintexts.length).toBeGreaterThan(0);
    expect(leaksIn(out + err, plaintexts)).toEqual([]);
  });

  it('requires the name of an application', async () => {
    expect((await temporalKms(['doctor'])).code).toBe(64);
    expect((await temporalKms(['doctor', '--app', 'dashboard'])).code).toBe(64);
  });
});

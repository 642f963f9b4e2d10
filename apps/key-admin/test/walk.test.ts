import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startNode, runNode } from '@temporal-kms/testing/process';
import { freePorts } from '@temporal-kms/scripts/ports';
import { connectGoogle } from '../src/google/client.ts';
import { ADMIN, afterwards, startCloud, temporalKms, temporaryFolder, WORKER } from './support/cli.ts';
import { useTemporal } from './support/temporal.ts';

/** A project in which the test runs all commands. */
interface Project {
  readonly name: string;
  readonly project: string;
  readonly location: string;
  /** How long a new primary version may take to become effective, in seconds. */
  readonly waitSeconds: number;
  readonly env: () => Promise<Record<string, string>>;
}

const emulator: Project = {
  name: 'the emulator',
  project: 'acme',
  location: 'us-east1',
  waitSeconds: 20,
  env: async () => {
    const { emulator: running } = await startCloud({ keys: [] });
    return { KMS_EMULATOR_HOST: running.address };
  },
};

/** Returns a project in the emulator and, if the environment names one, a project in Cloud KMS. */
function projects(env: NodeJS.ProcessEnv): Project[] {
  const project = env['KMS_CONFORMANCE_PROJECT'];
  if (project === undefined || project === '') return [emulator];
  const cloud: Project = {
    name: `Cloud KMS, project ${project}`,
    project,
    location: env['KMS_CONFORMANCE_LOCATION'] ?? 'us-east1',
    waitSeconds: 300,
    env: () => Promise.resolve({}),
  };
  return [emulator, cloud];
}

const temporal = useTemporal();

describe.each(projects(process.env))('in $name', ({ project, location, waitSeconds, env }) => {
  it('sets up a project, checks it, shows the key and rotates it', { timeout: 600_000 }, async () => {
    const variables = await env();
    const folder = await temporaryFolder();
    const key = `key-${randomUUID()}`;
    const name = `projects/${project}/locations/${location}/keyRings/temporal-kms-cli/cryptoKeys/${key}`;
    const google = await connectGoogle(variables['KMS_EMULATOR_HOST'], { progress: () => undefined });
    afterwards(async () => {
      const [versions] = await google.kms.listCryptoKeyVersions({ parent: name });
      for (const version of versions)
        await google.kms.destroyCryptoKeyVersion({ name: version.name ?? null });
      await google.close();
    });

    const setup = await temporalKms(
      `setup --project ${project} --location ${location} --key-ring temporal-kms-cli --key ${key} --no-audit-logs
      --temporal-address ${temporal.address} --out ${folder} --yes --json`.split(/\s+/),
      { env: variables },
    );
    expect([setup.code, setup.err]).toEqual([0, expect.stringContaining('Creating: key')]);
    expect(parseEnv(await readFile(join(folder, 'worker.env'), 'utf8'))).toMatchObject({
      KMS_KEYS_FILE: join(folder, 'keys.yaml'),
    });

    const envFile = ['--env-file', join(folder, 'worker.env')];
    const doctor = await temporalKms(['doctor', '--app', 'worker', ...envFile, '--json'], { env: variables });
    const failed = doctor.json().checks.filter(({ status }: any) => status === 'failed');
    expect([doctor.code, failed]).toEqual([0, []]);

    const rotated = await temporalKms(['rotate', ...envFile, '--wait', String(waitSeconds), '--json'], {
      env: variables,
    });
    expect([rotated.code, rotated.json().verified]).toEqual([0, 'yes']);

    const keys = await temporalKms(['keys', ...envFile, '--json'], { env: variables });
    expect([keys.code, keys.json().keys[0]]).toMatchObject([
      0,
      {
        key: name,
        primary: 2,
        rotationPeriodSeconds: 90 * 86_400,
        versions: [{ version: 2 }, { version: 1 }],
      },
    ]);
  });
});

const CODEC = 'codec@acme.iam.gserviceaccount.com';
const sourceOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

async function untilAnswers(url: string, server: ReturnType<typeof startNode>): Promise<void> {
  for (;;) {
    if (!server.isRunning()) throw new Error(`The process ended: ${server.output()}`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the path from an empty project to a decrypted payload', () => {
  it('takes only the commands setup and doctor', async () => {
    const { as, grant } = await startCloud({ keys: [], identities: { [ADMIN]: 0, [WORKER]: 0, [CODEC]: 0 } });
    await grant(ADMIN, 'roles/cloudkms.admin', 'projects/acme');
    await grant(ADMIN, 'roles/resourcemanager.projectIamAdmin', 'projects/acme');
    const hostOf = (email: string) => as(email)['KMS_EMULATOR_HOST'] ?? '';
    const folder = await temporaryFolder();
    const [healthPort = 0, codecPort = 0] = await freePorts(2);

    const setup = await temporalKms(
      `setup --project acme --location us-east1 --temporal-address ${temporal.address} --worker ${WORKER}
        --codec-server ${CODEC} --web-ui https://temporal.example.com --out ${folder} --yes`.split(/\s+/),
      { env: { KMS_EMULATOR_HOST: hostOf(ADMIN) } },
    );
    expect([setup.code, setup.out]).toEqual([0, expect.stringContaining('steps done')]);

    // Each identity uses a separate port of the emulator instead of credentials.
    const worker = { KMS_EMULATOR_HOST: hostOf(WORKER), WORKER_HEALTH_PORT: String(healthPort) };
    const codec = { KMS_EMULATOR_HOST: hostOf(CODEC), CODEC_PORT: String(codecPort) };
    const optionsOf = (file: string, env: Record<string, string>) => ({
      nodeOptions: ['--disable-sigusr1', `--env-file=${join(folder, file)}`],
      env,
    });
    const running = [
      startNode(sourceOf('worker/src/main.ts'), optionsOf('worker.env', worker)),
      startNode(sourceOf('codec-server/src/main.ts'), optionsOf('codec-server.env', codec)),
    ] as const;
    for (const process of running) afterwards(() => process.kill());
    const url = `http://127.0.0.1:${codecPort}`;
    await untilAnswers(`http://127.0.0.1:${healthPort}/readyz`, running[0]);
    await untilAnswers(`${url}/readyz`, running[1]);

    for (const [app, file, env] of [
      ['worker', 'worker.env', worker],
      ['codec-server', 'codec-server.env', codec],
    ] as const) {
      const doctor = await temporalKms(
        ['doctor', '--app', app, '--env-file', join(folder, file), '--codec-url', url, '--json'],
        { env },
      );
      const unwell = doctor
        .json()
        .checks.filter(({ status }: any) => status !== 'ok' && status !== 'skipped');
      expect([doctor.code, unwell]).toEqual([0, []]);
    }

    const start = await runNode(sourceOf('worker/src/start.ts'), {
      args: ['start', 'order', '--id', 'first', '--wait'],
      ...optionsOf('worker.env', worker),
    });
    expect([start.code, start.stderr]).toEqual([0, '']);
    const stored = await firstInput('first');
    expect(Buffer.from(stored.metadata?.['encoding'] ?? []).toString()).toBe('binary/envelope-kms-v2');
    const answer = await fetch(`${url}/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-namespace': 'default' },
      body: JSON.stringify({ payloads: [base64(stored)] }),
    });
    const { payloads }: any = await answer.json();
    expect(JSON.parse(Buffer.from(payloads[0].data, 'base64').toString())).toBeTypeOf('object');
  });
});

type Payload = NonNullable<Awaited<ReturnType<typeof firstInput>>>;

/** Returns the first payload of a workflow's input, as Temporal stores it. */
async function firstInput(workflowId: string) {
  const { history } = await temporal.connection.workflowService.getWorkflowExecutionHistory({
    namespace: 'default',
    execution: { workflowId },
  });
  const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (!payload) throw new Error('The workflow has no input.');
  return payload;
}

const base64 = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

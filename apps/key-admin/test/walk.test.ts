import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { startTemporal, type TemporalServer } from '@temporal-kms/scripts/temporal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectGoogle } from '../src/google/client.ts';
import { afterwards, startCloud, temporalKms, temporaryFolder } from './support/cli.ts';

/** A project in which the whole walk takes place. */
interface Project {
  readonly name: string;
  readonly project: string;
  readonly location: string;
  /** Minutes that a new primary version may take. */
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

/** Returns the emulator, and Cloud KMS if a project is named. */
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

let temporal: TemporalServer;
beforeAll(async () => {
  temporal = await startTemporal();
});
afterAll(() => temporal.close());

describe.each(projects(process.env))('in $name', ({ project, location, waitSeconds, env }) => {
  it('sets a project up, checks it, shows the key and rotates it', { timeout: 600_000 }, async () => {
    const variables = await env();
    const folder = await temporaryFolder();
    const key = `key-${randomUUID()}`;
    const name = `projects/${project}/locations/${location}/keyRings/temporal-kms-cli/cryptoKeys/${key}`;
    const where = [
      '--project',
      project,
      '--location',
      location,
      '--key-ring',
      'temporal-kms-cli',
      '--key',
      key,
    ];
    const google = await connectGoogle(variables['KMS_EMULATOR_HOST'], { progress: () => undefined });
    afterwards(async () => {
      const [versions] = await google.kms.listCryptoKeyVersions({ parent: name });
      for (const version of versions)
        await google.kms.destroyCryptoKeyVersion({ name: version.name ?? null });
      await google.close();
    });

    const setup = await temporalKms(
      [
        'setup',
        ...where,
        '--no-audit-logs',
        '--temporal-address',
        temporal.address,
        '--out',
        folder,
        '--yes',
        '--json',
      ],
      { env: variables },
    );
    expect([setup.code, setup.err]).toEqual([0, expect.stringContaining('Creating: key')]);
    expect(parseEnv(await readFile(join(folder, 'worker.env'), 'utf8'))).toMatchObject({ GCP_KMS_KEY: key });

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

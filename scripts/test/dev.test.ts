import { execa } from 'execa';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { devEnvironment } from '../src/dev/environment.ts';
import { devPorts } from '../src/dev/ports.ts';
import { ownPorts } from '../src/dev/start.ts';

const exported = {
  PATH: '/bin',
  TEMPORAL_ADDRESS: 'prod.example.com:7233',
  TEMPORAL_NAMESPACE: 'prod',
  TEMPORAL_API_KEY: 'canary',
  TEMPORAL_PROFILE: 'prod',
  TEMPORAL_CONFIG_FILE: '/home/me/temporal.toml',
  TEMPORAL_TLS_SERVER_NAME: 'prod.example.com',
  TEMPORAL_GRPC_META_AUTHORIZATION: 'canary',
  TEMPORAL_CLI_PATH: '/opt/temporal',
  GCP_PROJECT: 'prod',
  GCP_KMS_KEY: 'prod',
  KMS_KEYS_FILE: '/etc/keys.yaml',
  GOOGLE_APPLICATION_CREDENTIALS: '/etc/credentials.json',
};

describe('the environment of dev', () => {
  test('names its own Temporal and KMS, whatever is exported', () => {
    const env = devEnvironment(exported, devPorts({ DEV_TEMPORAL_PORT: '17233', DEV_KMS_PORT: '19061' }));
    const chosen = Object.entries(env).filter(([name]) => /^(TEMPORAL|GCP|KMS|GOOGLE)_/.test(name));
    expect(Object.fromEntries(chosen)).toEqual({
      TEMPORAL_CLI_PATH: '/opt/temporal',
      TEMPORAL_ADDRESS: '127.0.0.1:17233',
      TEMPORAL_NAMESPACE: 'default',
      TEMPORAL_CONFIG_FILE: join(import.meta.dirname, '..', 'temporal.toml'),
      GCP_PROJECT: 'local-dev',
      GCP_KMS_LOCATION: 'global',
      GCP_KMS_KEY_RING: 'temporal-keys',
      GCP_KMS_KEY: 'workflow-encryption',
      KMS_UNSAFE: 'direct-with-envelope',
      KMS_EMULATOR_HOST: '127.0.0.1:19061',
    });
    expect(JSON.stringify(env)).not.toContain('prod');
    expect(JSON.stringify(env)).not.toContain('canary');
  });

  test('keeps what is exported with DEV_REMOTE=1, and nothing less than 1 does', () => {
    const ports = devPorts({});
    expect(devEnvironment({ ...exported, DEV_REMOTE: '1' }, ports)).toMatchObject(exported);
    for (const value of ['', '0', 'true', 'no']) {
      expect(devEnvironment({ ...exported, DEV_REMOTE: value }, ports)).toMatchObject({
        GCP_PROJECT: 'local-dev',
      });
    }
  });
});

describe('the ports of dev', () => {
  test.each(['0', '65536', 'http', '80.5', '-1'])('refuses port %s by the name of its variable', (port) => {
    expect(() => devPorts({ DEV_CODEC_PORT: port })).toThrow('DEV_CODEC_PORT must be a port');
  });

  test('refuses the same port twice', () => {
    expect(() => devPorts({ DEV_UI_PORT: '8088' })).toThrow('DEV_UI_PORT and DEV_CODEC_PORT are both 8088');
  });
});

describe('the command', () => {
  test('names every port in use with its variable before anything starts', async () => {
    const env = await setting();
    for (const port of [env['DEV_TEMPORAL_PORT'], env['DEV_CODEC_PORT']]) {
      const squatter = createServer().listen(Number(port), '127.0.0.1');
      await once(squatter, 'listening');
      onTestFinished(() => void squatter.close());
    }
    const { exitCode, stdout, stderr } = await dev(env);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      `Port ${env['DEV_TEMPORAL_PORT']} of the Temporal server is in use. Free it, or set DEV_TEMPORAL_PORT to another one.`,
      `Port ${env['DEV_CODEC_PORT']} of the codec server is in use. Free it, or set DEV_CODEC_PORT to another one.`,
    ]);
  });

  test('does not share its data with another one that runs', async () => {
    const env = await setting();
    await writeFile(join(env['DEV_DATA_DIR']!, 'dev.lock'), String(process.pid));
    const { exitCode, stderr } = await dev(env);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining('set DEV_DATA_DIR'),
    });
  });
});

async function setting(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'dev-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return { DEV_DATA_DIR: folder, ...(await ownPorts()) };
}

const dev = (env: Record<string, string>) =>
  execa(process.execPath, [join(import.meta.dirname, '..', 'src', 'dev.ts')], {
    env,
    reject: false,
    timeout: 20_000,
  });

import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';
import {
  codecServerEnvironment,
  ConfigError,
  describeEnvironment,
  parseConfig,
  printableConfig,
  workerEnvironment,
  listUnknown,
  unknownVariables,
} from '../src/index.ts';
import { kms, mistakesOf } from './environments.ts';

test('lists all mistakes, each with its variable, the problem and an example', () => {
  const values = { GCP_KMS_KEY: 'workflow-encryption', WORKER_HEALTH_PORT: 'http', LOG_LEVEL: 'loud' };
  const load = () => parseConfig(workerEnvironment, values);
  const names = mistakesOf(load).map(([variable]) => variable);
  expect(names.toSorted()).toEqual(['GCP_KMS_KEY_RING', 'GCP_PROJECT', 'LOG_LEVEL', 'WORKER_HEALTH_PORT']);
  expect(load).toThrow(ConfigError);
  expect(load).toThrow(/^4 mistakes in the environment:/);
  expect(load).toThrow('  WORKER_HEALTH_PORT is "http": must be a port, a whole number from 0 to 65535\n');
  expect(load).toThrow('      for example WORKER_HEALTH_PORT=8089\n');
  expect(load).toThrow(/^ {2}GCP_PROJECT is missing/m);
});

test('freezes the configuration deeply', () => {
  const config = parseConfig(workerEnvironment, kms);
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.health)).toBe(true);
  expect(Object.isFrozen(config.kms)).toBe(true);
});

test('exits with status 78 in loadConfigOrExit, after printing only the mistakes', async () => {
  const module = JSON.stringify(new URL('../src/index.ts', import.meta.url).href);
  const code = `const { loadConfigOrExit, workerEnvironment } = await import(${module});
    loadConfigOrExit(workerEnvironment); console.log('started');`;
  const { status, stdout, stderr } = await runNode(code, { ...kms, WORKER_HEALTH_PORT: 'http' });
  expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
  expect(stderr).toBe(
    'A mistake in the environment:\n' +
      '  WORKER_HEALTH_PORT is "http": must be a port, a whole number from 0 to 65535\n' +
      '      for example WORKER_HEALTH_PORT=8089\n',
  );
  expect(await runNode(code, kms)).toEqual({ status: 0, stdout: 'started\n', stderr: '' });
});

test('prints the settings that apply, but no secrets and no unrelated variables', () => {
  const values = {
    ...kms,
    TEMPORAL_API_KEY: 'canary-key',
    AWS_SECRET_ACCESS_KEY: 'canary-aws',
    LOG_LEVEL: '',
  };
  const printed = printableConfig(workerEnvironment, values);
  expect(printed).toMatchObject({
    GCP_PROJECT: 'local-dev',
    LOG_LEVEL: 'info',
    TEMPORAL_API_KEY: '[redacted]',
  });
  expect(JSON.stringify(printed)).not.toContain('canary');
});

test("lists unknown variables that have the app's prefix or resemble one of its variables", () => {
  const wrong = {
    CODEC_PROT: '1',
    CODEC_CORS_ORIGIN: 'x',
    CODEC_SOMETHING: 'x',
    GCP_KMS_KEYRING: 'canary',
    GCP_KMS_PROJECT: 'x',
    KMS_ENDPOINT: 'x',
    TEMPORAL_ADRESS: 'x',
    POLICY_FILES: 'x',
    log_level: 'x',
  };
  const ofOthers = {
    CODEC_PORT: '1',
    CODEC_HOSTS: '',
    OTHER: 'x',
    TEMPORAL_TLS_CLIENT_CERT_DATA: 'x',
    TEMPORAL_UI_PORT: '8233',
    WORKER_CODE: 'x',
    GCP_REGION: 'x',
    HOSTNAME: 'x',
  };
  const unknown = unknownVariables(codecServerEnvironment, { ...wrong, ...ofOthers });
  expect(listUnknown(unknown)).toBe(
    'CODEC_CORS_ORIGIN (CODEC_CORS_ORIGINS?), CODEC_PROT (CODEC_PORT?), CODEC_SOMETHING, ' +
      'GCP_KMS_KEYRING (GCP_KMS_KEY_RING?), GCP_KMS_PROJECT, KMS_ENDPOINT, log_level (LOG_LEVEL?), POLICY_FILES (POLICY_FILE?), ' +
      'TEMPORAL_ADRESS (TEMPORAL_ADDRESS?)',
  );
  expect(unknownVariables(workerEnvironment, { WORKER_CODES: 'x', CODEC_PROT: 'x', ...kms })).toEqual([
    { name: 'WORKER_CODES', similar: 'WORKER_CODE' },
  ]);
});

test('lists a misspelt variable, without its value, alongside the missing variable', () => {
  const values = { GCP_PROJECT: 'p', GCP_KMS_KEYRING: 'canary', GCP_KMS_KEY: 'k' };
  const load = () => parseConfig(workerEnvironment, values);
  expect(load).toThrow(/GCP_KMS_KEYRING is set, but .* GCP_KMS_KEY_RING was probably meant/);
  expect(load).not.toThrow(/canary/);
});

test.each([
  ['worker', workerEnvironment],
  ['codec server', codecServerEnvironment],
])('describes every variable of the %s with a default or an example', (_, environment) => {
  const text = describeEnvironment(environment);
  for (const name of Object.keys(environment.variables)) {
    expect(text).toMatch(new RegExp(`^  ${name}\n {6}.+; (default|for example) .+$`, 'm'));
  }
});

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runNode(code: string, env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--input-type=module', '-e', code],
      { env },
      (_, stdout, stderr) => resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

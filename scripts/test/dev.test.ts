import { execa } from 'execa';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startChild, type Child } from '../src/child.ts';
import { requireDataVersion } from '../src/dev/data-version.ts';
import { devEnvironment, devPorts } from '../src/dev/environment.ts';
import { ownPorts } from '../src/dev/start.ts';
import { isPortTaken } from '../src/ports.ts';

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

describe('devEnvironment', () => {
  it('sets the variables for the Temporal server and emulator of `pnpm dev`, and drops the user’s variables', () => {
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

  it('keeps the user’s exported variables only with DEV_REMOTE=1', () => {
    const ports = devPorts({});
    expect(devEnvironment({ ...exported, DEV_REMOTE: '1' }, ports)).toMatchObject(exported);
    for (const value of ['', '0', 'true', 'no']) {
      expect(devEnvironment({ ...exported, DEV_REMOTE: value }, ports)).toMatchObject({
        GCP_PROJECT: 'local-dev',
      });
    }
  });
});

describe('devPorts', () => {
  it.each(['0', '65536', 'http', '80.5', '-1'])('reports the variable if its port is %s', (port) => {
    expect(() => devPorts({ DEV_CODEC_PORT: port })).toThrow('DEV_CODEC_PORT must be a port number');
  });

  it('rejects the same port for two servers', () => {
    expect(() => devPorts({ DEV_UI_PORT: '8088' })).toThrow('DEV_UI_PORT and DEV_CODEC_PORT are both 8088');
  });
});

describe('pnpm dev', () => {
  it('reports every port in use, with its variable, before any server starts', async () => {
    const env = await setting();
    for (const port of [env['DEV_TEMPORAL_PORT'], env['DEV_CODEC_PORT']]) {
      const squatter = createServer().listen(Number(port), '127.0.0.1');
      await once(squatter, 'listening');
      onTestFinished(() => void squatter.close());
    }
    const { exitCode, stdout, stderr } = await runDev(env);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      `Port ${env['DEV_TEMPORAL_PORT']} of the Temporal server is in use. Free it, or set DEV_TEMPORAL_PORT to another port.`,
      `Port ${env['DEV_CODEC_PORT']} of the codec server is in use. Free it, or set DEV_CODEC_PORT to another port.`,
    ]);
  });

  it('does not start while another `pnpm dev` uses the same data', async () => {
    const env = await setting();
    await writeFile(join(env['DEV_DATA_DIR']!, 'dev.lock'), String(process.pid));
    const { exitCode, stderr } = await runDev(env);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining('set DEV_DATA_DIR'),
    });
  });

  it.each([
    ['without a version', undefined],
    ['of another version', '1\n'],
  ])('does not start with a database %s, and leaves the database unchanged', async (_, version) => {
    const env = await setting();
    const folder = env['DEV_DATA_DIR']!;
    await writeFile(join(folder, 'temporal.db'), 'payloads');
    if (version !== undefined) await writeFile(join(folder, 'data-version'), version);
    const before = await readdir(folder);
    const { exitCode, stdout, stderr } = await runDev(env);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(`rm -r '${folder}'`);
    expect(await readdir(folder)).toEqual(before);
    expect(await readFile(join(folder, 'temporal.db'), 'utf8')).toBe('payloads');
  });

  // e2e/test/restart.spec.ts tests SIGINT.
  it('stops all programs gracefully and exits with 0 after SIGHUP', async () => {
    const env = await setting();
    const dev = await startServing(env, process.execPath, [script]);
    dev.signal('SIGHUP');
    expect(await dev.exited).toBe(0);
    await expectStopped(env);
    expect(dev.tail()).toContain('"message":"Worker stopped"');
    expect(dev.tail()).not.toContain('ended unexpectedly');
  }, 400_000);

  it('stops all programs when its launcher exits without forwarding the signal', async () => {
    const env = await setting();
    // The launcher behaves like npx: its name is "npm exec", it starts the command through a shell, and
    // SIGTERM ends only the launcher.
    const launcher = `process.title = 'npm exec pnpm dev';
      require('node:child_process').spawn('/bin/sh', ['-c', '"$0" "$1"; true', ...process.argv.slice(1)], { stdio: 'inherit' });`;
    const npx = await startServing(env, process.execPath, ['-e', launcher, process.execPath, script]);
    npx.signal('SIGTERM');
    await npx.exited;
    await expectStopped(env);
  }, 400_000);
});

it('requireDataVersion accepts a folder that it has marked', async () => {
  const { DEV_DATA_DIR: folder = '' } = await setting();
  await requireDataVersion(folder);
  await writeFile(join(folder, 'temporal.db'), 'payloads');
  await expect(requireDataVersion(folder)).resolves.toBeUndefined();
});

const script = join(import.meta.dirname, '..', 'src', 'dev.ts');

async function setting(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'dev-test-'));
  onTestFinished(() => rm(folder, { recursive: true, maxRetries: 10 }));
  return { DEV_DATA_DIR: folder, LOG_LEVEL: 'info', ...(await ownPorts()) };
}

const runDev = (env: Record<string, string>) =>
  execa(process.execPath, [script], { env, reject: false, timeout: 150_000 });

/** Starts a command and waits until the worker and the codec server of its stack are ready. */
async function startServing(
  env: Record<string, string>,
  file: string,
  args: readonly string[],
): Promise<Child> {
  const dev = await startChild(file, args, { ...process.env, ...env });
  onTestFinished(() => dev.stop());
  const ready = vi.waitFor(
    async () => {
      for (const port of ['DEV_CODEC_PORT', 'DEV_WORKER_PORT']) {
        const response = await fetch(`http://127.0.0.1:${env[port]}/readyz`);
        if (!response.ok) throw new Error(`${port} is not ready:\n${dev.tail()}`);
      }
    },
    { timeout: 240_000, interval: 200 },
  );
  const early = dev.exited.then((status) => {
    throw new Error(`pnpm dev ended early with status ${status}:\n${dev.tail()}`);
  });
  early.catch(() => undefined);
  await Promise.race([ready, early]);
  return dev;
}

/** Waits until every port of a stack is free, which means that every process has ended. */
async function expectStopped(env: Record<string, string>): Promise<void> {
  const ports = Object.entries(env).filter(([name]) => name.endsWith('_PORT'));
  const open = async () => {
    const taken = await Promise.all(ports.map(([, port]) => isPortTaken(Number(port))));
    return ports.filter((_, index) => taken[index]).map(([name]) => name);
  };
  await expect.poll(open, { timeout: 60_000, interval: 200 }).toEqual([]);
}

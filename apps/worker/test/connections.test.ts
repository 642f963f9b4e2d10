import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCertificate, makeCertificate } from '@temporal-kms/testing/certificates';
import { startTlsProxy, type TlsProxy } from '@temporal-kms/testing/tls-proxy';
import { runNode } from '@temporal-kms/testing/process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createStarterProgram } from '../src/starter/program.ts';
import { type App, startApp } from './support/app.ts';
import { kmsVariables, startTemporalAndKms } from './support/stack.ts';

describe('the connection to Temporal', () => {
  let dir: string;
  let services: Awaited<ReturnType<typeof startTemporalAndKms>>;
  let tls: TlsProxy;
  let mutualTls: TlsProxy;
  let kms: Record<string, string>;
  let app: App | undefined;
  const file = (name: string) => join(dir, name);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'worker-connections-'));
    services = await startTemporalAndKms();
    kms = kmsVariables(services.emulator.address);
    const authority = makeCertificate(dir, 'authority');
    const certificate = issueCertificate(dir, 'server', authority);
    issueCertificate(dir, 'client', makeCertificate(dir, 'client-authority'));
    issueCertificate(dir, 'stranger', authority);
    tls = await startTlsProxy({ target: services.address, certificate });
    const clientAuthorityFile = file('client-authority.crt');
    mutualTls = await startTlsProxy({ target: services.address, certificate, clientAuthorityFile });
    await writeFile(
      file('temporal.toml'),
      [
        '[profile.cloud]',
        `address = "${tls.address}"`,
        'api_key = "the-api-key"',
        '[profile.cloud.tls]',
        `server_ca_cert_path = "${file('authority.crt')}"`,
        '[profile.self-hosted]',
        `address = "${mutualTls.address}"`,
        '[profile.self-hosted.tls]',
        `server_ca_cert_path = "${file('authority.crt')}"`,
        `client_cert_path = "${file('client.crt')}"`,
        `client_key_path = "${file('client.key')}"`,
      ].join('\n'),
    );
  });
  afterEach(async () => {
    await app?.kill();
    app = undefined;
  });
  afterAll(async () => {
    await Promise.all([tls?.close(), mutualTls?.close()]);
    await services?.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Starts a worker with these variables, and starts a sample with them in this process. */
  async function expectToWork(variables: Record<string, string>, queue: string): Promise<void> {
    const env = { ...kms, ...variables, TEMPORAL_TASK_QUEUE: queue };
    app = startApp(env);
    await app.untilReady();
    const printed: string[] = [];
    const starter = createStarterProgram({ print: (line) => void printed.push(line), env });
    const input = ['--input', '{"lastStop":1,"intervalMs":1}', '--wait'];
    await starter.parseAsync(['start', 'courier', '--id', queue, ...input], { from: 'user' });
    expect(printed.join('\n')).toContain('is home after 1 stops');
    expect(app.output()).not.toContain('the-api-key');
  }

  it('works with TLS, a private certificate authority and an API key from variables', async () => {
    const variables = {
      TEMPORAL_ADDRESS: tls.address,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: file('authority.crt'),
      TEMPORAL_API_KEY: 'the-api-key',
    };
    await expectToWork(variables, 'tls');
    expect(tls.clients()).toEqual([]);
  });

  it('works with a profile of Temporal Cloud: TLS and an API key', async () => {
    await expectToWork(
      { TEMPORAL_CONFIG_FILE: file('temporal.toml'), TEMPORAL_PROFILE: 'cloud' },
      'profile-cloud',
    );
  });

  it('works with a profile of a self-hosted server: mutual TLS', async () => {
    await expectToWork(
      { TEMPORAL_CONFIG_FILE: file('temporal.toml'), TEMPORAL_PROFILE: 'self-hosted' },
      'profile-self-hosted',
    );
    expect(mutualTls.clients()).toEqual(['client']);
  });

  it.each([
    [
      'if the server’s certificate authority is not configured',
      () => ({ TEMPORAL_ADDRESS: tls.address, TEMPORAL_TLS: 'true' }),
    ],
    [
      'if the server does not accept the client certificate',
      () => ({
        TEMPORAL_ADDRESS: mutualTls.address,
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: file('authority.crt'),
        TEMPORAL_TLS_CLIENT_CERT_PATH: file('stranger.crt'),
        TEMPORAL_TLS_CLIENT_KEY_PATH: file('stranger.key'),
      }),
    ],
  ])('makes the worker wait and report the problem %s', async (_what, variables) => {
    app = startApp({ ...kms, ...variables() });
    await expect
      .poll(() => app?.readyz(), { timeout: 120_000 })
      .toMatchObject({ http: 503, worker: { phase: 'waiting_for_temporal', trouble: 'TransportError' } });
    await expect.poll(() => app?.messages()).toContain('Temporal unavailable');
  });

  it("is configured by a .env file like the file in Google's guide", async () => {
    await writeFile(
      file('.env'),
      [
        '# .env for GCP KMS',
        'export GCP_PROJECT="your-project-id"',
        'export GCP_KMS_LOCATION="global"',
        'export GCP_KMS_KEY_RING="temporal-keys"',
        'export GCP_KMS_KEY="workflow-encryption"',
        '',
        'export WORKER_HEALTH_PORT="from-the-file"',
      ].join('\n'),
    );
    const { code, stderr } = await runNode('src/main.ts', {
      cwd: join(import.meta.dirname, '..'),
      nodeOptions: [`--env-file=${file('.env')}`],
      env: { HOME: '/nonexistent', LOG_LEVEL: 'loud' },
    });
    expect(code).toBe(78);
    // The messages name only variables with mistakes, so they name none of the key variables.
    expect(stderr).toContain('WORKER_HEALTH_PORT is "from-the-file"');
    expect(stderr).toContain('LOG_LEVEL is "loud"');
    expect(stderr).not.toContain('GCP_');
  });
});

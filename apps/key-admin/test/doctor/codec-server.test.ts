import { fileURLToPath } from 'node:url';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { startIssuer } from '@temporal-kms/testing/issuer';
import { freePorts } from '@temporal-kms/scripts/ports';
import { describe, expect, it } from 'vitest';
import { afterwards, type Cloud, startCloud, temporalKms, temporaryFile } from '../support/cli.ts';
import { useTemporal } from '../support/temporal.ts';

// The tests start the real server in a separate process, and import none of its code.
const main = fileURLToPath(new URL('../../../codec-server/src/main.ts', import.meta.url));

const CODEC = 'codec@acme.iam.gserviceaccount.com';
const PAGE = 'https://temporal.example.com';

const temporal = useTemporal();

async function startServer(env: Record<string, string>): Promise<string> {
  const server: NodeProcess = startNode(main, { nodeOptions: ['--disable-sigusr1'], env });
  afterwards(() => server.kill());
  for (;;) {
    const line = /^.*"message":"listening".*$/m.exec(server.stdout())?.[0];
    if (line !== undefined) return JSON.parse(line).url;
    if (!server.isRunning()) throw new Error(`The server ended: ${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const environment = (cloud: Cloud): Record<string, string> => ({
  ...cloud.as(CODEC),
  TEMPORAL_ADDRESS: temporal.address,
  CODEC_PORT: '0',
  CODEC_CORS_ORIGINS: PAGE,
});

/**
 * Starts Cloud KMS for a codec server without sign-in. By default, the server's identity has the roles that `setup`
 * grants.
 */
async function startServed(roles = ['roles/cloudkms.cryptoKeyDecrypter', 'roles/cloudkms.viewer']) {
  const cloud = await startCloud({ identities: { [CODEC]: 0 } });
  for (const role of roles) await cloud.grant(CODEC, role);
  const env = environment(cloud);
  const doctor = (args: readonly string[] = [], more: Record<string, string> = {}) =>
    temporalKms(['doctor', '--app', 'codec-server', '--json', ...args], { env: { ...env, ...more } });
  return { ...cloud, env, doctor };
}

/** Starts a codec server that requires sign-in, and an issuer that signs tokens. */
async function startWithPolicy(permissions: string) {
  const served = await startServed();
  const issuer = await startIssuer('codec');
  afterwards(() => issuer.close());
  const policy = await temporaryFile(
    'policy.yaml',
    `issuers:\n  company: { type: oidc, issuer: '${issuer.issuer}', audience: codec, tokens: access }\n` +
      `rules:\n  - { issuer: company, match: { client_id: tools }, namespaces: [default], permissions: ${permissions} }\n...\n`,
  );
  const env = { AUTH: 'policy', POLICY_FILE: policy };
  const url = await startServer({ ...served.env, ...env });
  const doctor = async (token?: string) => {
    const file = token === undefined ? [] : ['--token-file', await temporaryFile('token', `${token}\n`)];
    return served.doctor(['--codec-url', url, ...file], env);
  };
  return { doctor, issuer };
}

const textsOf = (ran: Awaited<ReturnType<typeof temporalKms>>, status: string): string[] =>
  ran
    .json()
    .checks.filter((one: any) => one.status === status)
    .map(({ text }: any) => text);

describe('temporal-kms doctor --app codec-server', () => {
  it('calls the server as a page of the Web UI does: first a preflight, then /decode', async () => {
    const { env, doctor } = await startServed();
    const url = await startServer(env);
    const ran = await doctor(['--codec-url', url]);
    expect([ran.code, textsOf(ran, 'failed')]).toEqual([0, []]);
    expect(textsOf(ran, 'ok')).toEqual(
      expect.arrayContaining([
        `a server answers at ${url}`,
        `pages of ${PAGE} may call ${url}/decode`,
        'the codec server answers /decode in default with an unencrypted payload',
        expect.stringMatching(/ answers Decrypt$/),
        expect.stringContaining('/encode of the codec server is not possible'),
      ]),
    );
  });

  it('makes the server decrypt a payload if the identity may encrypt', async () => {
    const { env, doctor } = await startServed([
      'roles/cloudkms.cryptoKeyEncrypterDecrypter',
      'roles/cloudkms.viewer',
    ]);
    const url = await startServer(env);
    const ran = await doctor(['--codec-url', url]);
    expect(textsOf(ran, 'ok')).toContain('the codec server decrypts a payload of default');
  });

  it('fails for a page whose origin the server does not list, and names the variable', async () => {
    const { env, doctor } = await startServed();
    const url = await startServer(env);
    const ran = await doctor(['--codec-url', url, '--origin', 'https://other.example.com']);
    expect(ran.code).toBe(1);
    expect(ran.json().checks).toContainEqual(
      expect.objectContaining({
        status: 'failed',
        text: expect.stringContaining('pages of https://other.example.com may not call the codec server'),
        fix: ['export CODEC_CORS_ORIGINS=https://other.example.com'],
      }),
    );
  });

  it('warns if no page may call the server, and if the identity may not see key states', async () => {
    const { env, doctor } = await startServed(['roles/cloudkms.cryptoKeyDecrypter']);
    const url = await startServer(env);
    const ran = await doctor(['--codec-url', url], { CODEC_CORS_ORIGINS: '' });
    expect(ran.code).toBe(0);
    expect(textsOf(ran, 'warning')).toEqual([
      expect.stringContaining('may not see the version states'),
      expect.stringContaining('no web page may call the codec server'),
    ]);
  });

  it('fails if nothing answers at a given URL, and skips the check if nothing answers at the configured address', async () => {
    const { doctor } = await startServed();
    const [port = 0] = await freePorts(1);
    const named = await doctor(['--codec-url', `http://127.0.0.1:${port}`]);
    expect([named.code, textsOf(named, 'failed')]).toEqual([
      1,
      [`nothing answers at http://127.0.0.1:${port} (ECONNREFUSED)`],
    ]);
    const own = await doctor([], { CODEC_PORT: String(port) });
    expect([own.code, textsOf(own, 'skipped').join()]).toEqual([
      0,
      expect.stringContaining(`nothing answers at http://127.0.0.1:${port}`),
    ]);
  });

  it('fails for a path that is not the codec endpoint', async () => {
    const { env, doctor } = await startServed();
    const url = await startServer({ ...env, CODEC_PATH_PREFIX: '/codec' });
    const wrong = await doctor(['--codec-url', url]);
    expect(textsOf(wrong, 'failed')).toEqual([expect.stringContaining('this is not the codec endpoint')]);
    const right = await doctor(['--codec-url', `${url}/codec/`]);
    expect([right.code, textsOf(right, 'failed')]).toEqual([0, []]);
  });

  describe('with a policy', () => {
    it('accepts that the server refuses callers without a token, and warns that nothing else was checked', async () => {
      const { doctor } = await startWithPolicy('[decode]');
      const ran = await doctor();
      expect([ran.code, textsOf(ran, 'failed')]).toEqual([0, []]);
      expect(textsOf(ran, 'ok')).toContain('the codec server refuses callers without a token (401)');
      expect(textsOf(ran, 'warning').join()).toContain('authentication was not checked further');
    });

    it('sends the token as a page does, and never prints the token', async () => {
      const { doctor, issuer } = await startWithPolicy('[decode]');
      const token = await issuer.token({ client_id: 'tools' });
      const ran = await doctor(token);
      expect([ran.code, textsOf(ran, 'failed')]).toEqual([0, []]);
      expect(textsOf(ran, 'ok').join()).toContain('for this token');
      expect(ran.out + ran.err).not.toContain(token);
      expect(ran.out + ran.err).not.toContain(token.split('.')[2]);
    });

    it('fails for a refused token, and for a token without the permission', async () => {
      const { doctor, issuer } = await startWithPolicy('[metadata]');
      const forged = await doctor('not.a.token');
      expect([forged.code, textsOf(forged, 'failed')]).toEqual([
        1,
        [expect.stringContaining('refuses the token')],
      ]);
      const weak = await doctor(await issuer.token({ client_id: 'tools' }));
      expect([weak.code, textsOf(weak, 'failed')]).toEqual([
        1,
        [expect.stringContaining('refuses the request')],
      ]);
    });
  });
});

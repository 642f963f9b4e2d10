import { fileURLToPath } from 'node:url';
import { type NodeProcess, startNode } from '@temporal-kms/testing/process';
import { startIssuer, type TestIssuer } from '@temporal-kms/testing/issuer';
import { freePorts } from '@temporal-kms/scripts/ports';
import { describe, expect, it } from 'vitest';
import {
  afterwards,
  beforeTests,
  type Cloud,
  startCloud,
  temporalKms,
  temporaryFile,
} from '../support/cli.ts';
import { useTemporal } from '../support/temporal.ts';

// The tests start the real server in a separate process, and import none of its code.
const main = fileURLToPath(new URL('../../../codec-server/src/main.ts', import.meta.url));

const CODEC = 'codec@acme.iam.gserviceaccount.com';
const ENCRYPTER = 'encrypter@acme.iam.gserviceaccount.com';
const DECRYPTER = 'decrypter@acme.iam.gserviceaccount.com';
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

/** Returns the policy's rule for a client. */
const ruleOf = (client: string, permission: string): string =>
  `  - { issuer: company, match: { client_id: ${client} }, namespaces: [default], permissions: [${permission}] }\n`;

let cloud: Cloud;
let issuer: TestIssuer;
/** The variables of the server that requires sign-in. */
let policy: Record<string, string>;
/** The URL of a server without sign-in. */
let url: string;
/** The URL of a server that requires sign-in, and whose codec endpoint has the path `/codec`. */
let policyUrl: string;
beforeTests(async () => {
  cloud = await startCloud({ identities: { [CODEC]: 0, [ENCRYPTER]: 0, [DECRYPTER]: 0 } });
  // The server's identity has the roles that `setup` grants.
  for (const email of [CODEC, DECRYPTER]) await cloud.grant(email, 'roles/cloudkms.cryptoKeyDecrypter');
  await cloud.grant(ENCRYPTER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  for (const email of [CODEC, ENCRYPTER]) await cloud.grant(email, 'roles/cloudkms.viewer');
  issuer = await startIssuer('codec');
  afterwards(() => issuer.close());
  const file = await temporaryFile(
    'policy.yaml',
    `issuers:\n  company: { type: oidc, issuer: '${issuer.issuer}', audience: codec, tokens: access }\n` +
      `rules:\n${ruleOf('tools', 'decode')}${ruleOf('lists', 'metadata')}...\n`,
  );
  policy = { AUTH: 'policy', POLICY_FILE: file };
  [url, policyUrl] = await Promise.all([
    startServer(environment(CODEC)),
    startServer({ ...environment(CODEC), ...policy, CODEC_PATH_PREFIX: '/codec' }),
  ]);
});

const environment = (email: string): Record<string, string> => ({
  ...cloud.as(email),
  TEMPORAL_ADDRESS: temporal.address,
  CODEC_PORT: '0',
  CODEC_CORS_ORIGINS: PAGE,
});

const doctor = (args: readonly string[] = [], more: Record<string, string> = {}, email = CODEC) =>
  temporalKms(['doctor', '--app', 'codec-server', '--json', ...args], {
    env: { ...environment(email), ...more },
  });

/** Runs `doctor` on the server that requires sign-in. */
const signedIn = async (token?: string) => {
  const file = token === undefined ? [] : ['--token-file', await temporaryFile('token', `${token}\n`)];
  return doctor(['--codec-url', `${policyUrl}/codec`, ...file], policy);
};

const textsOf = (ran: Awaited<ReturnType<typeof temporalKms>>, status: string): string[] =>
  ran
    .json()
    .checks.filter((one: any) => one.status === status)
    .map(({ text }: any) => text);

describe('temporal-kms doctor --app codec-server', () => {
  it('calls the server as a page of the Web UI does: first a preflight, then /decode', async () => {
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
    const ran = await doctor(['--codec-url', url], {}, ENCRYPTER);
    expect(textsOf(ran, 'ok')).toContain('the codec server decrypts a payload of default');
  });

  it('fails for a page whose origin the server does not list, and names the variable', async () => {
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
    const ran = await doctor(['--codec-url', url], { CODEC_CORS_ORIGINS: '' }, DECRYPTER);
    expect(ran.code).toBe(0);
    expect(textsOf(ran, 'warning')).toEqual([
      expect.stringContaining('may not see the version states'),
      expect.stringContaining('no web page may call the codec server'),
    ]);
  });

  it('fails if nothing answers at a given URL, and skips the check if nothing answers at the configured address', async () => {
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
    const wrong = await doctor(['--codec-url', policyUrl], policy);
    expect(textsOf(wrong, 'failed')).toEqual([expect.stringContaining('this is not the codec endpoint')]);
    const right = await doctor(['--codec-url', `${policyUrl}/codec/`], policy);
    expect([right.code, textsOf(right, 'failed')]).toEqual([0, []]);
  });

  describe('with a policy', () => {
    it('without a token, accepts that the server refuses callers, and warns that nothing else was checked', async () => {
      const ran = await signedIn();
      expect([ran.code, textsOf(ran, 'failed')]).toEqual([0, []]);
      expect(textsOf(ran, 'ok')).toContain('the codec server refuses callers without a token (401)');
      expect(textsOf(ran, 'warning').join()).toContain('authentication was not checked further');
    });

    it('sends the token as a page does, and never prints the token', async () => {
      const token = await issuer.token({ client_id: 'tools' });
      const ran = await signedIn(token);
      expect([ran.code, textsOf(ran, 'failed')]).toEqual([0, []]);
      expect(textsOf(ran, 'ok').join()).toContain('for this token');
      expect(ran.out + ran.err).not.toContain(token);
      expect(ran.out + ran.err).not.toContain(token.split('.')[2]);
    });

    it('fails for a refused token, and for a token without the permission', async () => {
      const forged = await signedIn('not.a.token');
      expect([forged.code, textsOf(forged, 'failed')]).toEqual([
        1,
        [expect.stringContaining('refuses the token')],
      ]);
      const weak = await signedIn(await issuer.token({ client_id: 'lists' }));
      expect([weak.code, textsOf(weak, 'failed')]).toEqual([
        1,
        [expect.stringContaining('refuses the request')],
      ]);
    });
  });
});

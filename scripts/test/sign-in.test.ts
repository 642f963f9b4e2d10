import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { devEnvironment, devPorts, requireFreePorts } from '../src/dev/environment.ts';
import { peopleLines, samplePeople, samplePolicy, writeSamplePolicy } from '../src/dev/sign-in.ts';
import { startIdentityProvider } from '../src/identity-provider.ts';
import { freePorts } from '../src/ports.ts';

it('devEnvironment requires a policy only with DEV_AUTH=1', () => {
  const ports = devPorts({});
  const signedIn = devEnvironment({ DEV_AUTH: '1', DEV_DATA_DIR: '/data', AUTH: 'none' }, ports);
  expect(signedIn).toMatchObject({ AUTH: 'policy', POLICY_FILE: '/data/policy.yaml' });
  for (const value of ['', '0', 'true'])
    expect(devEnvironment({ DEV_AUTH: value }, ports)).not.toHaveProperty('AUTH');
});

it('devEnvironment refuses DEV_AUTH=1 with DEV_REMOTE=1, because a remote setup has a separate policy', () => {
  expect(() => devEnvironment({ DEV_AUTH: '1', DEV_REMOTE: '1' }, devPorts({}))).toThrow('POLICY_FILE');
});

it('writeSamplePolicy writes a policy file that only its owner may write', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sign-in-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'policy.yaml');
  await writeSamplePolicy(file, 8090);
  expect((await stat(file)).mode & 0o022).toBe(0);
  expect(await readFile(file, 'utf8')).toBe(samplePolicy('http://127.0.0.1:8090'));
});

it('peopleLines lists each sample person, and samplePolicy has their rules', () => {
  expect(peopleLines()).toHaveLength(samplePeople.length);
  const rules = samplePolicy('http://127.0.0.1:8090').match(/match: \{ groups: [\w.]+ \}/g);
  expect(rules).toEqual(
    samplePeople.flatMap(({ id, rules: own }) => own.map(() => `match: { groups: ${id} }`)),
  );
});

it('startIdentityProvider shows the people, and frees the port when the provider stops', async () => {
  const redirect = 'http://127.0.0.1:5173/sign-in';
  // Outgoing connections cannot take this port when the provider has freed it.
  const [port = 0] = await freePorts(1);
  const provider = await startIdentityProvider({
    port,
    people: samplePeople,
    clients: [
      {
        client_id: 'page',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirect],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    audience: 'https://codec.example.com',
    tokenSeconds: 60,
    refreshTokens: false,
  });
  const request = new URLSearchParams({
    client_id: 'page',
    response_type: 'code',
    redirect_uri: redirect,
    scope: 'openid',
    code_challenge: 'a'.repeat(43),
    code_challenge_method: 'S256',
  });
  const start = await fetch(`${provider.issuer}/auth?${request.toString()}`, { redirect: 'manual' });
  const cookie = start.headers
    .getSetCookie()
    .map((each) => each.split(';', 1)[0])
    .join('; ');
  const page = await fetch(new URL(start.headers.get('location') ?? '', provider.issuer), {
    headers: { cookie },
  });
  const html = await page.text();
  for (const { name } of samplePeople) expect(html).toContain(name);
  await provider.close();
  await requireFreePorts([{ variable: 'PORT', port, listener: 'the provider' }]);
});

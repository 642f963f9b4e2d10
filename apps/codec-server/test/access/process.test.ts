import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServerProcess, spawnServer, startServer } from '../support/process.ts';
import { company, policyFile } from './support/policy-file.ts';
import { AUDIENCE, startProvider, type TestProvider } from './support/provider.ts';
import { type Answer, ask } from './support/server.ts';

const file = policyFile('');

const keysFile = join(dirname(file), 'keys.yaml');
const KEYS = `namespaces:
  payments: { encrypt: projects/test/locations/global/keyRings/temporal-keys/cryptoKeys/payments }
...
`;

let provider: TestProvider & AsyncDisposable;
let server: ServerProcess;

beforeAll(async () => {
  provider = await startProvider();
  writeFileSync(keysFile, KEYS);
  server = await startServer({
    ...environment(policy('[decode]')),
    KMS_KEYS_FILE: keysFile,
    GCP_KMS_KEY: '',
  });
});
afterAll(async () => {
  await server.stop();
  await provider[Symbol.asyncDispose]();
});

const policy = (permissions: string): string => `${company(provider.issuer, AUDIENCE)}
rules:
  - { issuer: company, match: { client_id: tools }, namespaces: [payments], permissions: ${permissions} }
...
`;

/** Returns the environment variables of a server with the policy. */
function environment(content: string): Record<string, string> {
  writeFileSync(file, content);
  return { AUTH: 'policy', POLICY_FILE: file, CODEC_HOST: '0.0.0.0', KMS_EMULATOR_HOST: '127.0.0.1:1' };
}

const decode = (port: number, token?: string): Promise<Answer> =>
  ask(port, {
    method: 'POST',
    path: '/decode',
    headers: [
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ['Content-Type', 'application/json'],
      ['X-Namespace', 'payments'],
    ],
    body: '{"payloads":[]}',
  });

it('exits with 78 and names the line of a mistake in the policy', async () => {
  const { output, exited } = spawnServer(environment(policy('[decode, everything]')));
  expect(await exited).toBe(78);
  expect(output.err).toMatch(/A mistake in POLICY_FILE:\n {2}line 4: rules\[0\]\.permissions\[1\] /);
  expect(output.out).not.toContain('listening');
});

const inForce = (): unknown[] =>
  server.output.out
    .split('\n')
    .filter((line) => line.includes('"policy in force"'))
    .map((line) => JSON.parse(line));

const described = (path: string, content: string) => ({
  file: path,
  sha256: createHash('sha256').update(content).digest('hex'),
});

/** Sends SIGHUP, and waits until the server logs the words. @returns the log since the signal */
async function reload(words: string): Promise<string> {
  const { child, output } = server;
  const begin = output.out.length;
  const log = () => output.out.slice(begin);
  child.kill('SIGHUP');
  await expect.poll(log, { timeout: 10_000 }).toContain(words);
  return log();
}
const REFUSED = 'the previous policy stays in force';

it('logs the digest of the policy in force, at startup and after each successful reload', async () => {
  const first = policy('[decode]');
  const second = policy('[metadata]');
  const digest = (content: string) => ({ ...described(file, content), bytes: content.length });
  expect(inForce()).toMatchObject([digest(first)]);

  writeFileSync(file, second.slice(0, second.lastIndexOf('permissions')));
  expect(await reload(REFUSED)).toMatch(/does not end with a line that contains only \.\.\./);
  expect(inForce()).toHaveLength(1);

  writeFileSync(file, second);
  await reload('policy reloaded');
  expect(inForce()).toMatchObject([digest(first), digest(second)]);
});

it('logs the digest of the keys file', () => {
  const line = server.output.out.split('\n').find((each) => each.includes('"keys file in use"'));
  expect(JSON.parse(line ?? '{}')).toMatchObject(described(keysFile, KEYS));
});

it('neither reloads nor starts with a policy file that other users can write', async () => {
  chmodSync(file, 0o664);
  try {
    expect(await reload(REFUSED)).toContain('chmod go-w');
    const second = spawnServer(environment(policy('[decode]')));
    expect(await second.exited).toBe(78);
    expect(second.output.err).toContain('chmod go-w');
  } finally {
    chmodSync(file, 0o644);
  }
}, 120_000);

it('may listen on addresses other than loopback if it has a policy, and reloads the policy on SIGHUP', async () => {
  const port = Number(new URL(server.url).port);
  const token = await provider.programToken();

  writeFileSync(file, policy('[decode]'));
  await reload('policy reloaded');
  expect((await decode(port)).status).toBe(401);
  expect((await decode(port, token)).status).toBe(200);

  writeFileSync(file, policy('[everything]'));
  await reload(REFUSED);
  expect((await decode(port, token)).status).toBe(200);

  writeFileSync(file, policy('[metadata]'));
  await reload('policy reloaded');
  expect((await decode(port, token)).status).toBe(403);

  const { out } = server.output;
  expect(out).not.toContain('AUTH=none');
  for (const part of token.split('.')) expect(out).not.toContain(part);
});

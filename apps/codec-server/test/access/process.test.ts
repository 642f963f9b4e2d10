import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { AUDIENCE, startProvider, type TestProvider } from './support/provider.ts';
import { type Answer, ask } from './support/server.ts';

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');

let provider: TestProvider & AsyncDisposable;
let child: ChildProcess | undefined;

beforeAll(async () => {
  provider = await startProvider();
  return () => provider[Symbol.asyncDispose]();
});
afterEach(async () => {
  if (child?.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
});

const policy = (permissions: string): string => `
issuers:
  company: { type: oidc, issuer: '${provider.issuer}', audience: '${AUDIENCE}', tokens: access }
rules:
  - { issuer: company, match: { client_id: tools }, namespaces: [payments], permissions: ${permissions} }
`;

function start(content: string) {
  writeFileSync(file, content);
  const started = spawn(process.execPath, [entry], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      AUTH: 'policy',
      POLICY_FILE: file,
      CODEC_HOST: '0.0.0.0',
      CODEC_PORT: '0',
      GCP_PROJECT: 'test',
      GCP_KMS_KEY_RING: 'ring',
      GCP_KMS_KEY: 'key',
      KMS_EMULATOR_HOST: '127.0.0.1:1',
    },
  });
  child = started;
  return started;
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

test('a mistake in the policy ends the start with status 78 and says where it is', async () => {
  const { stderr, stdout } = start(policy('[decode, everything]'));
  const exit = once(child!, 'exit');
  expect(await text(stderr)).toMatch(/A mistake in POLICY_FILE:\n {2}line 5: rules\[0\]\.permissions\[1\] /);
  expect(await text(stdout)).not.toContain('listening');
  expect((await exit)[0]).toBe(78);
});

test('serves other machines with a policy, and reads it again on SIGHUP', async () => {
  const { stdout } = start(policy('[decode]'));
  const lines: string[] = [];
  const log = createInterface(stdout).on('line', (line) => lines.push(line));
  const logged = async (words: string): Promise<string> => {
    while (!lines.some((line) => line.includes(words))) await once(log, 'line');
    return lines.find((line) => line.includes(words))!;
  };
  const { url } = JSON.parse(await logged('"listening"'));
  const port = Number(new URL(url).port);
  const token = await provider.programToken();

  expect((await decode(port)).status).toBe(401);
  expect((await decode(port, token)).status).toBe(200);

  writeFileSync(file, policy('[everything]'));
  child!.kill('SIGHUP');
  await logged('the one before stays in force');
  expect((await decode(port, token)).status).toBe(200);

  writeFileSync(file, policy('[metadata]'));
  child!.kill('SIGHUP');
  await logged('the policy was read again');
  expect((await decode(port, token)).status).toBe(403);

  expect(lines.join('\n')).not.toContain('AUTH=none');
  for (const part of token.split('.')) expect(lines.join('\n')).not.toContain(part);
});

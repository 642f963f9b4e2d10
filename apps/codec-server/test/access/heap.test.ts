import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServerProcess, startServer } from '../support/process.ts';
import { company, policyFile } from './support/policy-file.ts';
import { AUDIENCE, startProvider, type TestProvider } from './support/provider.ts';

const directory = mkdtempSync(join(tmpdir(), 'heap-'));
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let provider: TestProvider & AsyncDisposable;
let server: ServerProcess;

beforeAll(async () => {
  provider = await startProvider();
  const file = policyFile(`${company(provider.issuer, AUDIENCE)}
  proxy: { type: iap, audience: /projects/1/global/backendServices/2 }
rules:
  - { issuer: company, match: { client_id: tools }, namespaces: [payments], permissions: [metadata, decode, search, export] }
...
`);
  server = await startServer(
    { AUTH: 'policy', POLICY_FILE: file, KMS_EMULATOR_HOST: '127.0.0.1:1', KMS_ALLOW_DIAGNOSTICS: 'true' },
    ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${directory}`],
  );
});
afterAll(async () => {
  agent.destroy();
  await server.stop();
  await provider[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

type Head = Record<string, string | readonly string[]>;
const bearer = (value: string): Head => ({ authorization: `Bearer ${value}` });
const swapped = (good: string): string => `${good.slice(0, -8)}AAAAAAAA`;

/** Sends a request on a connection that stays open, and resolves to the status. */
async function send(headers: Head, path = '/decode'): Promise<number> {
  const { port } = new URL(server.url);
  const body = '{"payloads":[]}';
  const out = request({
    agent,
    port,
    host: '127.0.0.1',
    method: 'POST',
    path,
    headers: {
      'content-type': 'application/json',
      'x-namespace': 'payments',
      'content-length': body.length,
      ...headers,
    },
  });
  out.end(body);
  const [response] = await once(out, 'response');
  await text(response);
  return response.statusCode;
}

/** Sends a request's head and only half of its body, and then disconnects. */
async function abandon(headers: Head): Promise<void> {
  const { port } = new URL(server.url);
  const head = { 'content-type': 'application/json', 'x-namespace': 'payments', 'content-length': 100 };
  const out = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/decode',
    headers: { ...head, ...headers },
  });
  out.on('error', () => undefined);
  out.write('{"payloads":[');
  await sleep(200);
  out.destroy();
}

/** Returns the text of all strings in the server's memory after a garbage collection. */
async function strings(): Promise<string> {
  const before = new Set(readdirSync(directory));
  server.child.kill('SIGUSR2');
  const written = () =>
    readdirSync(directory).filter((name) => !before.has(name) && name.endsWith('.heapsnapshot'));
  await expect.poll(written, { timeout: 30_000 }).toHaveLength(1);
  // Node blocks the server until the whole file is written, so a response means that the file is complete.
  await send({}, '/healthz');
  return readFileSync(join(directory, written()[0]!), 'utf8');
}

it('keeps no token in the heap after the request ends', async () => {
  const sent = new Map<string, string>();
  const token = async (name: string, change: (token: string) => string = (same) => same): Promise<string> => {
    const changed = change(await provider.programToken());
    sent.set(name, changed);
    return changed;
  };
  // This token names the issuer, but is signed with a key that the issuer has not published.
  const [header = '', ...rest] = (await provider.programToken()).split('.');
  const { kid: _, ...known } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const unknown = Buffer.from(JSON.stringify({ ...known, kid: 'unknown' })).toString('base64url');
  const foreign = [unknown, ...rest].join('.');

  expect(await send(bearer(await token('a good token')))).toBe(200);
  expect(await send(bearer(await token('the token of a request that is refused')), '/nowhere')).toBe(404);
  expect(await send(bearer(await token('a bad signature', swapped)))).toBe(401);
  expect(await send(bearer(await token('a long token', (good) => `${good}${'A'.repeat(20_000)}`)))).toBe(401);
  expect(await send({ authorization: `Basic ${await token('another scheme')}` })).toBe(401);
  expect(await send({ authorization: `Bearer ${await token('two tokens')} x` })).toBe(400);
  expect(await send({ 'x-goog-iap-jwt-assertion': await token('an assertion') })).toBe(401);
  expect(await send({ cookie: `token=${await token('a cookie')}` })).toBe(401);
  expect(await send({ 'authorization-extras': await token('extras') })).toBe(401);
  expect(await send({}, `/decode?access_token=${await token('a URL')}`)).toBe(401);
  await abandon(bearer(await token('a request that was abandoned')));
  const run = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
  for (const path of ['payloads:decode', 'history:search', 'history:export', 'no-route']) {
    expect(await send(bearer(await token(path)), `${run}/${path}`)).toBeGreaterThanOrEqual(400);
  }
  await provider.down();
  expect(await send(bearer(foreign))).toBe(401);
  sent.set('a key that is not known', foreign);
  await provider.up();
  expect(await send(bearer(await token('the last good token')))).toBe(200);

  await sleep(500);
  const memory = await strings();
  const found = [...sent].filter(([, value]) => {
    const [, claims = '', signature = ''] = value.split('.');
    return memory.includes(claims.slice(0, 100)) || memory.includes(signature.slice(0, 60));
  });
  expect(memory).toContain('x-goog-iap-jwt-assertion');
  expect(found.map(([name]) => name)).toEqual([]);
}, 180_000);

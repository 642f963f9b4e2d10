import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createAudit } from '@temporal-kms/audit';
import { type AuditEntry, decodeFrame, historyFrame } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { keptLog } from '../support/stack.ts';
import { NAMESPACE, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';
import { AUDIENCE, startProvider, type TestProvider } from './support/provider.ts';
import { ask } from './support/server.ts';

// Temporal's own command line and the history API with a real provider's tokens, against a real Temporal server.
const SECRET = 'canary-5161ed';
const WORKFLOW = 'read-when-signed-in';

let stack: Stack;
let provider: TestProvider & AsyncDisposable;
let server: RunningServer;
let token: string;
let run: { workflowId: string; runId: string };
const audited: AuditEntry[] = [];

beforeAll(async () => {
  // The provider logs at every start that it is for tests.
  for (const method of ['info', 'warn'] as const) vi.spyOn(console, method).mockReturnValue(undefined);
  stack = await startStack();
  provider = await startProvider();
  const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  writeFileSync(
    file,
    `issuers:
  company: { type: oidc, issuer: '${provider.issuer}', audience: '${AUDIENCE}', tokens: access }
rules:
  - issuer: company
    match: { email: ana@example.com }
    namespaces: [${NAMESPACE}]
    permissions: [metadata, decode]
namespaces:
  ${NAMESPACE}: { reveal: on-demand }
...
`,
  );
  server = await listen({
    host: '127.0.0.1',
    port: 0,
    app: (port) =>
      stack.replica({
        hosts: [`127.0.0.1:${port}`],
        access: accessLoader(file, { log: keptLog().log, canDecrypt: () => true })(),
        audit: createAudit({ write: async (entry) => void audited.push(entry) }),
      }),
  });
  token = (await provider.personTokens('ana')).accessToken;
  const handle = await stack.start('everywhere', [SECRET], { workflowId: WORKFLOW, taskQueue: 'nobody' });
  run = await runOf(handle);
});
afterAll(async () => {
  await server.close(1_000);
  await provider[Symbol.asyncDispose]();
  await stack.close();
});
beforeEach(() => {
  audited.length = 0;
});

const command = promisify(execFile);

async function show(...more: string[]): Promise<string> {
  const args = ['workflow', 'show', '--workflow-id', WORKFLOW, '--output', 'json', '--command-timeout', '5s'];
  const to = ['--address', stack.server.address, '--namespace', NAMESPACE];
  const plain = ['--disable-config-file', '--disable-config-env'];
  const codec = ['--codec-endpoint', `http://127.0.0.1:${server.port}`];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], TEMPORAL_VERSION_CHECK_DISABLED: '1' };
  return (await command(stack.server.cliPath, [...args, ...to, ...plain, ...codec, ...more], { env })).stdout;
}

const auth = (value: string): string[] => ['--codec-auth', `Bearer ${value}`];
const justification = ['--codec-header', 'X-Reveal-Justification=ticket 4711'];
const inHistory = Buffer.from(JSON.stringify(SECRET)).toString('base64');

it("lets Temporal's CLI read a history with a token and a justification", async () => {
  expect(await show(...auth(token), ...justification)).toContain(inHistory);
  expect(audited.at(0)).toMatchObject({
    event: 'intent',
    operation: 'decode',
    namespace: NAMESPACE,
    who: { name: 'ana@example.com', issuer: provider.issuer, subject: 'ana' },
    justification: 'ticket 4711',
  });
  expect(JSON.stringify(audited)).not.toContain(token.split('.')[1]);
});

it.each<[what: string, args: () => Promise<string[]>]>([
  ['a token', async () => justification],
  ['a justification', async () => auth(token)],
  [
    'a token of a person whom a rule names',
    async () => [...auth((await provider.personTokens('bo')).accessToken), ...justification],
  ],
])("lets Temporal's CLI read nothing without %s", async (_, args) => {
  await expect(args().then((more) => show(...more))).rejects.toThrow();
  expect(audited.filter(({ event }) => event !== 'denied')).toEqual([]);
});

const api = async (path: string, body?: object) =>
  ask(server.port, {
    method: body === undefined ? 'GET' : 'POST',
    path: `${runPath(run)}/${path}`,
    headers: [
      ['Authorization', `Bearer ${token}`],
      ['Content-Type', 'application/json'],
    ],
    ...(body && { body: JSON.stringify(body) }),
  });

it('returns the history to a caller with the permission metadata, and payloads for a justification', async () => {
  const history = await api('history');
  const [first] = history.body
    .split('\n')
    .filter(Boolean)
    .map((line) => historyFrame.parse(JSON.parse(line)));
  expect(first).toMatchObject({ type: 'events', events: expect.arrayContaining([expect.any(Object)]) });
  expect(history.body).not.toContain(SECRET);

  expect(await api('payloads:decode', { refs: ['1:0'] })).toMatchObject({
    status: 403,
    code: 'justification_required',
  });
  expect(audited.map(({ event }) => event)).toEqual(['denied']);

  const decrypted = await api('payloads:decode', { refs: ['1:0'], justification: 'ticket 4712' });
  const [payload] = decrypted.body
    .split('\n')
    .filter(Boolean)
    .map((line) => decodeFrame.parse(JSON.parse(line)));
  expect(payload).toMatchObject({ ok: true, payload: { data: inHistory } });
  expect(audited.map(({ event, justification: why }) => [event, why])).toEqual([
    ['denied', undefined],
    ['intent', 'ticket 4712'],
    ['outcome', 'ticket 4712'],
  ]);
});

import { decodeFrame, historyFrame } from '@temporal-kms/codec-api';
import { beforeEach, expect, it } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { recordedAudit } from '../support/stack.ts';
import { NAMESPACE, runOf, runPath, startStack, temporalCli } from '../support/temporal.ts';
import { company, policyFile } from './support/policy-file.ts';
import { AUDIENCE, startProvider } from './support/provider.ts';
import { ask } from './support/server.ts';

// These tests use Temporal's own CLI and the history API, with a real provider's tokens and a real Temporal
// server.
const SECRET = 'canary-5161ed';
const WORKFLOW = 'read-when-signed-in';

const stack = forFile(await startStack());
const provider = forFile(await startProvider());
const file = policyFile(`${company(provider.issuer, AUDIENCE)}
rules:
  - issuer: company
    match: { email: ana@example.com }
    namespaces: [${NAMESPACE}]
    permissions: [metadata, decode]
namespaces:
  ${NAMESPACE}: { reveal: on-demand }
...
`);
const { audit, entries: audited } = recordedAudit();
const access = accessLoader(file, { log: keptLog().log, canDecrypt: () => true })();
const server = forFile(await stack.serve({ access, audit }));
const token = (await provider.personTokens('ana')).accessToken;
const handle = await stack.start('everywhere', [SECRET], { workflowId: WORKFLOW, taskQueue: 'nobody' });
const run = await runOf(handle);
beforeEach(() => {
  audited.length = 0;
});

const show = (timeout: string, ...more: string[]): Promise<string> => {
  const own = ['--output', 'json', '--command-timeout', timeout];
  const args = ['workflow', 'show', '--workflow-id', WORKFLOW, ...own];
  return temporalCli(stack, [...args, '--codec-endpoint', `http://127.0.0.1:${server.port}`, ...more]);
};

const auth = (value: string): string[] => ['--codec-auth', `Bearer ${value}`];
const justification = ['--codec-header', 'X-Reveal-Justification=ticket 4711'];
const inHistory = Buffer.from(JSON.stringify(SECRET)).toString('base64');

it("lets Temporal's CLI read a history with a token and a justification", async () => {
  expect(await show('1m', ...auth(token), ...justification)).toContain(inHistory);
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
])("returns no plaintext to Temporal's CLI without %s", async (_, args) => {
  // The CLI repeats a refused request for 10 s unless its time limit is shorter.
  await expect(args().then((more) => show('5s', ...more))).rejects.toThrow();
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

it('returns the history to a caller with the permission `metadata`, and payloads only with a justification', async () => {
  const history = await api('history');
  const first = historyFrame.parse(JSON.parse(history.body.split('\n')[0]!));
  expect(first).toMatchObject({ type: 'events', events: expect.arrayContaining([expect.any(Object)]) });
  expect(history.body).not.toContain(SECRET);

  expect(await api('payloads:decode', { refs: ['1:0'] })).toMatchObject({
    status: 403,
    code: 'justification_required',
  });
  expect(audited.map(({ event }) => event)).toEqual(['denied']);

  const decrypted = await api('payloads:decode', { refs: ['1:0'], justification: 'ticket 4712' });
  const payload = decodeFrame.parse(JSON.parse(decrypted.body.split('\n')[0]!));
  expect(payload).toMatchObject({ ok: true, payload: { data: inHistory } });
  expect(audited.map(({ event, justification: why }) => [event, why])).toEqual([
    ['denied', undefined],
    ['intent', 'ticket 4712'],
    ['outcome', 'ticket 4712'],
  ]);
});

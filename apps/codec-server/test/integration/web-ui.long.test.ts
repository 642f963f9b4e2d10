import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from '@playwright/test';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { freePorts } from '@temporal-kms/scripts/ports';
import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessLoader } from '../../src/access/policy-access.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { readTlsPair } from '../../src/server/tls.ts';
import { company, policyFile } from '../access/support/policy-file.ts';
import { AUDIENCE, startProvider, type TestProvider } from '../access/support/provider.ts';
import { makeCertificate } from '@temporal-kms/testing/certificates';
import { findGo } from '@temporal-kms/scripts/go';
import { keptLog } from '../support/kept-log.ts';
import { recordedAudit } from '../support/stack.ts';
import { createStoredPayloads } from '../support/storage.ts';
import { NAMESPACE, runOf, type Stack, startStack } from '../support/temporal.ts';
import { callbackUrl, startWebUi } from '../support/web-ui.ts';

/*
 * In these tests, Temporal's unmodified Web UI in Chromium signs a person in at an OpenID provider, and calls
 * this server over TLS with the person's access token.
 */
const BUILD_MS = 900_000;
const SECRET = 'canary-5eaf00d';
const client = { id: 'temporal-ui', secret: 'the-secret-of-the-web-ui' };

let directory: string;
let stack: Stack;
let server: RunningServer;
let provider: TestProvider & AsyncDisposable;
let ui: Awaited<ReturnType<typeof startWebUi>> | undefined;
let browser: Browser;
const { audit, entries: audited } = recordedAudit();
const stored = createStoredPayloads(NAMESPACE);

beforeAll(async () => {
  const go = await findGo("the test with Temporal's Web UI is skipped");
  if (go === undefined) return;
  directory = await mkdtemp(join(tmpdir(), 'web-ui-'));
  stack = await startStack();
  const [port = 0] = await freePorts(1);
  provider = await startProvider([
    {
      client_id: client.id,
      client_secret: client.secret,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [callbackUrl(port)],
      response_types: ['code'],
    },
  ]);
  const policy = policyFile(`${company(provider.issuer, AUDIENCE)}
rules:
  - issuer: company
    match: { groups: payments-support }
    namespaces: [${NAMESPACE}]
    permissions: [metadata, decode]
...
`);
  server = await listen({
    host: '127.0.0.1',
    port: 0,
    tls: await readTlsPair(makeCertificate(directory, 'codec')),
    app: (bound) =>
      stack.replica({
        hosts: [`127.0.0.1:${bound}`],
        corsOrigins: [`http://localhost:${port}`],
        access: accessLoader(policy, { log: keptLog().log, canDecrypt: () => true })(),
        audit,
        storage: stored.storage,
      }),
  });
  ui = await startWebUi({
    go,
    directory,
    port,
    temporal: stack.server.address,
    issuer: provider.issuer,
    client,
    codecEndpoint: `https://127.0.0.1:${server.port}`,
  });
  browser = await chromium.launch({ executablePath: await findChromium(), args: [...chromiumArguments] });
}, BUILD_MS);
afterAll(async () => {
  if (ui === undefined) return;
  await browser.close();
  await ui[Symbol.asyncDispose]();
  await server.close(0);
  await provider[Symbol.asyncDispose]();
  await stack.close();
  await rm(directory, { recursive: true });
});

/** Signs in on the pages of the Web UI and of the provider. */
async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page
    .getByRole('button', { name: /continue to sso|sso|log ?in/i })
    .first()
    .click();
  await page.locator('input[name=login]').fill('ana');
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.locator('button[type=submit]').click();
  await page.waitForURL((at) => at.href.startsWith(url) && !at.pathname.startsWith('/auth'));
}

it("shows plaintext in Temporal's Web UI, which signs in and passes the access token over TLS", async ({
  skip,
}) => {
  if (ui === undefined) return skip('the Web UI cannot be built without Go');
  const handle = await stack.start('everywhere', [SECRET]);
  await handle.signal('finish', `${SECRET} signal`);
  await handle.result();
  const run = await runOf(handle);
  await using context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const requests: Record<string, string>[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().includes('/decode')) {
      void request.allHeaders().then((headers) => requests.push({ url: request.url(), ...headers }));
    }
  });
  await signIn(page, ui.url);
  await page.goto(`${ui.url}/namespaces/${NAMESPACE}/workflows/${run.workflowId}/${run.runId}/history`);
  await page
    .getByText(new RegExp(`${SECRET} result`))
    .first()
    .waitFor({ timeout: 30_000 });

  expect(requests.length).toBeGreaterThan(0);
  for (const headers of requests) {
    expect(headers).toMatchObject({
      url: `https://127.0.0.1:${server.port}/decode?preserveStorageRefs=true`,
      authorization: expect.stringMatching(/^Bearer ey/),
      'authorization-extras': expect.stringMatching(/^ey/),
      'x-namespace': NAMESPACE,
      origin: ui.url,
    });
  }
  const outcomes = audited.filter(({ event }) => event === 'outcome');
  expect(outcomes.length).toBeGreaterThan(0);
  for (const entry of outcomes) {
    expect(entry).toMatchObject({
      operation: 'decode',
      namespace: NAMESPACE,
      who: { name: 'ana@example.com', issuer: provider.issuer },
      outcome: { result: 'complete' },
    });
  }
  expect(audited.filter(({ event }) => event === 'denied')).toEqual([]);
}, 120_000);

it('saves a payload that is in external storage', async ({ skip }) => {
  if (ui === undefined) return skip('the Web UI cannot be built without Go');
  const plugins = [new KmsCodecPlugin(stack.kms.codec)];
  const { dataConverter } = stored;
  const writer = new Client({ connection: stack.connection, namespace: NAMESPACE, plugins, dataConverter });
  const large = SECRET.repeat(30_000);
  // No worker polls this task queue.
  const handle = await writer.workflow.start('everywhere', {
    workflowId: 'stored',
    taskQueue: 'none',
    args: [large],
  });
  const { runId } = await runOf(handle);
  await using context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await signIn(page, ui.url);
  await page.goto(`${ui.url}/namespaces/${NAMESPACE}/workflows/stored/${runId}/history`);
  // The download button shows the object's size.
  const button = page.getByRole('button', { name: /^[\d.]+ ?[KM]i?B$/i }).first();
  await button.waitFor({ timeout: 30_000 });
  const saving = page.waitForEvent('download', { timeout: 30_000 });
  await button.click();
  const file = await readFile(await (await saving).path(), 'utf8');
  expect(file.includes(large)).toBe(true);
  const objects = audited.filter(({ event }) => event === 'object');
  expect(objects).toEqual([expect.objectContaining({ namespace: NAMESPACE })]);
}, 120_000);

import { readFile } from 'node:fs/promises';
import { type BrowserContext, expect, type Page, type Request } from '@playwright/test';
import { keptBy, SURNAME, useEverything } from './everything.ts';
import { signInAs } from './people.ts';
import { violations } from './screens.ts';
import { type SignInStack, test } from './sign-in-stack.ts';

/* Tests what people do with sign-in. */

/** A name that occurs only in payloads, such as those of order-1001 and payment-4711. */
const PLAINTEXT = 'Mira Lindqvist';

let stack: SignInStack;
let page: Page;
let context: BrowserContext;
let tokens: Set<string>;
let requested: string[];

test.beforeEach(async ({ browser, stack: shared }) => {
  stack = shared;
  context = await browser.newContext({ baseURL: stack.origin });
  page = await context.newPage();
  tokens = new Set();
  requested = [];
  context.on('request', (request) => requested.push(request.url()));
  context.on('response', (response) => void keepTokens(response.request()));
});
test.afterEach(async () => {
  await context.close();
});

/** Remembers the verifier in a token request and the tokens in the response, so that the tests can search for them. */
async function keepTokens(request: Request): Promise<void> {
  if (!request.url().startsWith(`${stack.issuer}/token`) || request.method() !== 'POST') return;
  const body: Record<string, unknown> = await (await request.response())?.json().catch(() => ({}));
  for (const name of ['access_token', 'refresh_token', 'id_token']) {
    if (typeof body[name] === 'string') tokens.add(body[name]);
  }
  const verifier = new URLSearchParams(request.postData() ?? '').get('code_verifier');
  if (verifier) tokens.add(verifier);
}

/** Returns the complete lines of the audit. The server may be writing another line. */
const auditLines = async (): Promise<string[]> =>
  (await readFile(stack.auditFile, 'utf8')).split('\n').slice(0, -1);

/** Returns the audit's entries about key tests. */
const selfTests = async (): Promise<unknown[]> =>
  (await auditLines())
    .filter((line) => line.includes('"self_test"'))
    .map((line): unknown => JSON.parse(line));

const signInButton = () => page.getByRole('button', { name: /^Sign in with/ });

const signIn = (name: string, path = '/') => signInAs(page, name, path);

const isRenewal = (url: URL) => url.href.startsWith(`${stack.issuer}/token`);
const payloadRequests = (request: Request) => request.url().endsWith('payloads:decode');
const shown = (text: string, on = page) => expect(on.getByText(text, { exact: true }).first()).toBeVisible();

test('opens the requested address after the sign-in', async () => {
  const path = '/ns/default/workflows/order-1001?tab=memo';
  await page.goto(path);
  await expect(signInButton()).toBeVisible();
  expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe(path);
  await signIn('Olivia Oncall', path);
  await expect(page.getByRole('heading', { name: 'order-1001' })).toBeVisible();
  await expect(page.getByRole('tab', { name: 'Memo' })).toHaveAttribute('aria-selected', 'true');
  expect(new URL(page.url()).search).toContain('tab=memo');
});

test('recovers the sign-in after a reload, at the same address and without a click', async () => {
  await signIn('Olivia Oncall', '/ns/default/workflows?q=order-1001');
  await shown('order-1001');
  await page.reload();
  await shown('order-1001');
  expect(page.url()).toBe(`${stack.origin}/ns/default/workflows?q=order-1001`);
});

test('decrypts for permitted people, and renews the token without interruption while the page follows a history', async () => {
  await signIn('Adam Admin', '/ns/default/workflows/courier-3001');
  await expect(page.locator('[data-key="g1"]')).toBeVisible();
  await expect(page.locator('[data-key="g1"] [data-masked]')).toHaveCount(0);
  // The page gets several tokens, and the server ends the stream whenever a token expires.
  const before = tokens.size;
  await expect.poll(() => tokens.size, { timeout: 100_000 }).toBeGreaterThan(before + 4);
  await expect(page.getByText('Your sign-in has expired.')).toBeHidden();
  await expect(page.getByText(/^Live/)).toBeVisible();
});

test('hides payloads when the sign-in expires, and continues on the same page after a sign-in in a separate window', async () => {
  await signIn('Olivia Oncall', '/ns/default/workflows/order-1001');
  const body = page.locator('body');
  await expect(body).toContainText(PLAINTEXT);
  const row = page.locator('[data-key^="g"]').nth(8);
  const key = await row.getAttribute('data-key');
  await row.click();
  await expect(page).toHaveURL(/ev=\d+/);
  const address = page.url();
  const mark = await page.evaluate(
    () => (Object.assign(window, { mark: Math.random() }), Reflect.get(window, 'mark')),
  );

  const refuse = {
    status: 400,
    json: { error: 'invalid_grant' },
    headers: { 'access-control-allow-origin': '*' },
  };
  await page.route(isRenewal, (route) => route.fulfill(refuse));
  await expect(page.getByText('Your sign-in has expired.')).toBeVisible({ timeout: 60_000 });
  await expect(body).not.toContainText(PLAINTEXT);
  await expect(page.locator(`[data-key="${key}"]`)).toHaveAttribute('aria-selected', 'true');

  await page.unroute(isRenewal);
  const opened = context.waitForEvent('page');
  await page.getByRole('button', { name: 'Sign in again' }).click();
  const popup = await opened;
  // The person is still signed in with the provider, so the window closes by itself.
  await popup.waitForEvent('close', { timeout: 20_000 }).catch(() => undefined);
  await expect(body).toContainText(PLAINTEXT);
  await expect(page.getByText('Your sign-in has expired.')).toBeHidden();
  expect(page.url()).toBe(address);
  // It is still the same document, so the page was not reloaded.
  expect(await page.evaluate(() => Reflect.get(window, 'mark'))).toBe(mark);
});

const JUSTIFICATION = 'PAY-4711: failed capture';
const axe = () => violations(page);

test('reveals payloads on demand with a justification, which the audit records, until the person locks them', async () => {
  const decodes: string[] = [];
  page.on('request', (request) => payloadRequests(request) && decodes.push(request.postData() ?? ''));
  await signIn('Olivia Oncall', '/ns/payments/workflows/payment-4711');
  await expect(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
  await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
  expect(decodes).toEqual([]);
  expect(await axe()).toEqual([]);

  await page.keyboard.press('Shift+R');
  const dialog = page.getByRole('dialog', { name: 'Reveal payloads' });
  await expect(dialog.getByRole('textbox', { name: 'Justification' })).toBeFocused();
  await page.keyboard.type(JUSTIFICATION);
  await page.keyboard.press('Enter');
  const body = page.locator('body');
  await expect(body).toContainText(PLAINTEXT);
  await expect(page.getByText('Revealed: this run')).toBeVisible();
  await expect(page.getByRole('timer').first()).toHaveText(/^hides in [45]:\d\d$/);
  expect(decodes.every((sent) => sent.includes(JUSTIFICATION))).toBe(true);
  expect(requested.filter((url) => url.includes('4711:') || url.includes('capture'))).toEqual([]);

  await page.keyboard.press('l');
  await expect(body).not.toContainText(PLAINTEXT);
  expect(await page.content()).not.toContain(PLAINTEXT);
  const kept = await page.evaluate(() =>
    JSON.stringify([
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      history.state,
      location.href,
    ]),
  );
  for (const secret of [PLAINTEXT, JUSTIFICATION]) expect(kept).not.toContain(secret);

  const audit = (await auditLines()).filter((line) => line.includes('"payments"'));
  const intents = audit.filter((line) => line.includes('"intent"')).map((line): unknown => JSON.parse(line));
  expect(intents.length).toBeGreaterThan(0);
  for (const intent of intents) {
    expect(intent).toMatchObject({
      audit: {
        operation: 'decode',
        workflowId: 'payment-4711',
        who: { name: 'olivia.oncall@example.com' },
        justification: JUSTIFICATION,
      },
    });
  }
  expect(audit.join('\n')).not.toContain(PLAINTEXT);
});

test('records the key test in the audit, under the person’s name', async () => {
  await signIn('Olivia Oncall', '/ns/payments/keys');
  await page.getByRole('button', { name: 'Test the keys' }).click();
  await expect(page.getByRole('table', { name: /^Test at/ }).getByText('Passed')).toBeVisible();
  // The server may write the outcome after its response.
  await expect
    .poll(selfTests)
    .toEqual([
      expect.objectContaining({
        audit: expect.objectContaining({
          event: 'intent',
          who: expect.objectContaining({ name: 'olivia.oncall@example.com' }),
        }),
      }),
      expect.objectContaining({
        audit: expect.objectContaining({ event: 'outcome', namespace: 'payments' }),
      }),
    ]);
  expect(await axe()).toEqual([]);
});

test('shows an auditor who revealed what and why, but not the payloads', async () => {
  await signIn('Audrey Audit', '/ns/payments/audit');
  const search = page.getByRole('search', { name: 'Filter the audit' });
  await search.getByRole('textbox', { name: 'Person' }).fill('olivia');
  await search.getByRole('textbox', { name: 'Justification' }).fill('pay-4711');
  await page.keyboard.press('Enter');
  const entry = page.getByRole('row', { name: /olivia\.oncall@example\.com Decrypt payment-4711/ }).first();
  await expect(entry).toContainText(JUSTIFICATION);
  await expect(page.getByRole('row', { name: /audrey/ })).toHaveCount(0);
  expect(page.url()).not.toMatch(/olivia|4711/i);
  expect(requested.filter((url) => /olivia|pay-4711/i.test(url))).toEqual([]);
  await entry.click();
  const pane = page.getByRole('complementary', { name: 'Entry' });
  await expect(pane).toContainText('127.0.0.1');
  expect(await axe()).toEqual([]);
  await page.keyboard.press('v');
  await expect(page.getByRole('region', { name: 'Hash chain' })).toContainText('The chain is intact');

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByRole('menuitem', { name: 'Found lines as JSON Lines' }).click();
  const lines = (await readFile(await (await download).path(), 'utf8')).trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ justification: JUSTIFICATION });

  // The auditor may see metadata, so the run opens, but without payloads.
  await pane.getByRole('link', { name: 'payment-4711' }).click();
  await expect(page.getByRole('heading', { name: 'payment-4711' })).toBeVisible();
  await expect(page.getByText('You can see metadata, not payloads.')).toBeVisible();
});

test('signs the person out in this tab, in other tabs and at the provider', async () => {
  await signIn('Olivia Oncall');
  await shown('order-1001');
  const other = await context.newPage();
  await other.goto('/ns/default/workflows');
  await shown('order-1001', other);

  await page.getByRole('button', { name: 'Account' }).click();
  await shown('olivia.oncall@example.com');
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(other.getByRole('heading', { name: 'You are signed out' })).toBeVisible();
  await expect(other.locator('body')).not.toContainText('order-1001');

  await page.getByRole('button', { name: /Yes/ }).click();
  await expect(page.getByRole('heading', { name: 'You are signed out' })).toBeVisible();
  expect(page.url()).toBe(`${stack.origin}/signed-out`);
  // The provider's session has ended too, so the page cannot sign in without the person.
  await page.goto('/ns/default/workflows');
  await expect(signInButton()).toBeVisible();
});

test('keeps tokens and payloads out of storage, caches, addresses and the query cache, even after each feature was used', async () => {
  test.setTimeout(240_000);
  await signIn('Adam Admin', '/ns/default/workflows');
  await shown('order-1001');
  // Each `goto` is a new document, which signs in again without a click.
  await useEverything(page);
  await expect.poll(() => tokens.size).toBeGreaterThan(2);
  const kept = await keptBy(page);
  expect(JSON.parse(kept)).toMatchObject({
    session: [],
    databases: [],
    caches: [],
    cookies: '',
    workers: [],
  });
  for (const secret of [...tokens, SURNAME]) {
    expect(kept).not.toContain(secret);
    expect(requested.filter((url) => url.includes(secret))).toEqual([]);
  }
  expect(page.url()).not.toMatch(/[?&](code|state|iss)=/);
  await page.goBack();
  expect(page.url()).not.toMatch(/[?&]code=/);
});

test('works with a provider that issues no refresh tokens', async () => {
  await context.route(isRenewal, async (route) => {
    const response = await route.fetch();
    const { refresh_token: _, ...json } = await response.json();
    await route.fulfill({ response, json });
  });
  await signIn('Olivia Oncall', '/ns/default/workflows/order-1001');
  await expect(page.locator('body')).toContainText(PLAINTEXT);
  const before = tokens.size;
  // A hidden frame asks the provider for a token, and the browser sends the provider's session cookie with
  // the request.
  await expect.poll(() => tokens.size, { timeout: 80_000 }).toBeGreaterThan(before + 2);
  await expect(page.getByText('Your sign-in has expired.')).toBeHidden();
  await expect(page.locator('body')).toContainText(PLAINTEXT);
});

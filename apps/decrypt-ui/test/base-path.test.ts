import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from '@playwright/test';
import { isPageAddress } from '@temporal-kms/codec-api';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../src/session/config.ts';
import { createAppRouter } from '../src/shell/router.tsx';
import { type FixtureServer, startFixtureServer } from './fixtures/server.ts';
import { builtDashboard } from './support/built.ts';
import { type Provider, serveSite, type Site, startProvider } from './support/site.ts';

const { outDir } = await builtDashboard();
const RUN = '01997c2e-0000-7000-8000-000000000001';

let fixtures: FixtureServer;
let provider: Provider;
let browser: Browser;

beforeAll(async () => {
  fixtures = await startFixtureServer();
  provider = await startProvider();
  browser = await chromium.launch({ executablePath: await findChromium(), args: [...chromiumArguments] });
});
afterAll(async () => {
  await browser.close();
  await fixtures.close();
  provider.close();
});

describe('the build', () => {
  test('contains absolute addresses only in index.html', () => {
    const names = readdirSync(outDir, { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => /\.(js|css)$/.test(each)))
      expect(readFileSync(join(outDir, name), 'utf8'), name).not.toMatch(/["'`(]\/?assets\//);
    const html = readFileSync(join(outDir, 'index.html'), 'utf8');
    const addresses = [...html.matchAll(/(?:src|href)=(\S*?)[\s>]/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThan(4);
    for (const address of addresses) expect(address).toMatch(/^"\/[\w.]/);
  });

  test('contains compressed copies of the page’s script, and no source file', () => {
    const names = readdirSync(join(outDir, 'assets'));
    const main = names.find((name) => /^main-.*\.js$/.test(name));
    expect(names).toEqual(expect.arrayContaining([`${main}.br`, `${main}.gz`]));
    expect(names.filter((name) => /\.tsx?$/.test(name))).toEqual([]);
  });

  test('has pages only at paths for which servers return index.html', () => {
    const paths = Object.keys(
      createAppRouter({
        runs: () => {
          throw new Error('No test opens a run.');
        },
      }).routesByPath,
    ).filter((path) => path !== '/ns/$namespace');
    expect(paths.length).toBeGreaterThan(6);
    for (const path of paths) expect(isPageAddress(path), path).toBe(true);
  });
});

const load = (apiUrl: string) => loadConfig(() => Promise.resolve(Response.json({ apiUrl })), '/tools/kms/');

describe('the configuration', () => {
  test.each([
    ['', '/tools/kms'],
    ['/codec', '/codec'],
    ['/', '/'],
    ['https://codec.example', 'https://codec.example'],
  ])('makes the codec server %j available at %j', async (apiUrl, expected) => {
    expect((await load(apiUrl)).apiUrl).toBe(expected);
  });

  test.each(['//evil.example', '/\\evil.example', 'javascript:alert(1)', 'codec', '/a?b', '/a#b'])(
    'rejects %j as the codec server’s address',
    async (apiUrl) => {
      await expect(load(apiUrl)).rejects.toThrow('/tools/kms/config.json is invalid');
    },
  );
});

describe.each(['', '/tools/kms'])('the page below the base path %j', (basePath) => {
  let site: Site;
  let context: BrowserContext;
  let page: Page;
  let problems: string[];

  beforeEach(async () => {
    site = await serveSite(outDir, basePath, fixtures.url, provider.origin);
    problems = [];
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    context.setDefaultTimeout(60_000);
    page = await context.newPage();
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) problems.push(message.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (url.startsWith(`${site.origin}${basePath}/`) || url.startsWith(`${fixtures.url}/api/`)) return;
      if (!url.startsWith(provider.origin)) problems.push(`outside the base path: ${url}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
    });
  });
  afterEach(async () => {
    await context.close();
    site.close();
    expect(problems).toEqual([]);
  });

  test('shows the list, a run, and a deep link after a reload', async () => {
    await page.goto(`${site.origin}${basePath}/`);
    await page.waitForURL((url) => url.pathname.startsWith(`${basePath}/ns/`));
    await page.goto(`${site.origin}${basePath}/ns/sizes/workflows`);
    const current = page.getByRole('navigation').getByRole('link', { name: 'Workflows' });
    await expect.poll(() => current.first().getAttribute('aria-current'), { timeout: 60_000 }).toBe('page');
    const link = page.getByRole('link', { name: 'order-88213' }).first();
    expect(await link.getAttribute('href')).toMatch(
      new RegExp(`^${basePath}/ns/sizes/workflows/order-88213`),
    );
    await link.click();
    const path = `${basePath}/ns/sizes/workflows/order-88213/${RUN}`;
    await page.waitForURL((url) => url.pathname === path);
    await page.getByText('3 items to DE, EUR 128.90').first().waitFor();
    await page.goto(`${site.origin}${path}?ev=5`);
    await page.reload();
    await page.getByRole('complementary').getByText('88213').first().waitFor();
    expect(new URL(page.url()).pathname).toBe(path);
    // The worker that indexes the history loads one of its modules on demand.
    await page.keyboard.press('w');
    await page.getByRole('region', { name: 'Critical path' }).getByRole('table').waitFor();
  });

  test('opens a history file in its worker', async () => {
    await page.goto(`${site.origin}${basePath}/ns/files/workflows`);
    await page.getByRole('row').nth(3).waitFor();
    const exported = await fetch(
      `${fixtures.url}/api/namespaces/files/workflows/order-88213/runs/${RUN}/history:export`,
      { method: 'POST', body: JSON.stringify({ form: 'encoded' }) },
    );
    const file = { name: 'history.json', mimeType: 'application/json', buffer: await exported.bytes() };
    const choosing = page.waitForEvent('filechooser');
    await page.keyboard.press('Control+o');
    const chooser = await choosing;
    await chooser.setFiles([{ ...file, buffer: Buffer.from(file.buffer) }]);
    await page.getByRole('heading', { level: 1, name: 'order-88213' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`${basePath}/ns/files/file`);
  });

  test('sends the identity provider a redirect URI below the base path, and then returns to its address', async () => {
    const signIn = {
      required: true,
      authorizationCode: { issuer: provider.origin, clientId: 'page', scopes: ['openid'], token: 'access' },
    };
    await page.route(`${fixtures.url}/api/sign-in`, (route) =>
      route.fulfill({ json: signIn, headers: { 'access-control-allow-origin': '*' } }),
    );
    provider.returnUris.length = 0;
    const address = `${site.origin}${basePath}/ns/sizes/workflows`;
    await page.goto(address);
    await page.getByRole('button', { name: /^Sign in/ }).waitFor();
    expect(provider.returnUris).toEqual([`${site.origin}${basePath}/sign-in`]);
    expect(page.url()).toBe(address);
    await page.goto(`${site.origin}${basePath}/signed-out`);
    await page.getByText('You are signed out').waitFor();
    expect(provider.returnUris).toHaveLength(1);
  });
});

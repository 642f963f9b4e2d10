import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium, type Page, type Route } from '@playwright/test';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';
import { freePorts } from '@temporal-kms/scripts/ports';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FixtureServer, startFixtureServer } from './fixtures/server.ts';
import { builtDashboard } from './support/built.ts';

/** Milliseconds that a test waits for a page. */
const PATIENCE = 60_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const { outDir, modules } = await builtDashboard();
const files = () => readdirSync(outDir, { recursive: true, encoding: 'utf8' });
const scripts = () => files().filter((name) => name.endsWith('.js'));
const read = (name: string) => readFileSync(join(outDir, name), 'utf8');

describe('the built page', () => {
  test('contains no module of the codec, of Google’s client or of Temporal’s client', () => {
    expect(modules.some((id) => id.includes('/apps/decrypt-ui/src/main.tsx'))).toBe(true);
    expect(
      modules.filter((id) =>
        /packages\/(kms-codec\/(?!src\/reason-codes\.ts)|kms-emulator\/|config\/)|node_modules\/(@google-cloud|@grpc|@temporalio|google-gax)\//.test(
          id,
        ),
      ),
    ).toEqual([]);
  });

  test('contains no code of Node, of Google’s client or of Temporal’s SDK', () => {
    for (const name of scripts()) {
      expect(read(name), name).not.toMatch(/["'`]node:|@google-cloud\/|@temporalio\/|createDecipheriv/);
    }
  });

  test('contains only the small variant of zod', () => {
    for (const name of scripts()) expect(read(name), name).not.toMatch(/["'`]ZodString["'`]/);
  });

  test('has no inline script or style, so it runs under a strict content security policy', () => {
    const html = read('index.html');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\son[a-z]+=|\sstyle=/);
    for (const name of scripts()) expect(read(name), name).not.toMatch(/new Function\(|\beval\(/);
  });

  test('contains its fonts and loads nothing from another host', () => {
    expect(files().some((name) => /inter-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    expect(files().some((name) => /jetbrains-mono-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    const styles = files().filter((name) => name.endsWith('.css'));
    for (const name of styles) expect(read(name), name).not.toMatch(/url\(["']?(https?|data):|@import/);
  });

  test('contains no source maps unless the builder asks for them', () => {
    expect(files().filter((name) => name.endsWith('.map'))).toEqual([]);
    for (const name of scripts()) expect(read(name), name).not.toContain('sourceMappingURL');
  });

  test('links all styles in index.html, so that the page is never drawn without them', () => {
    const linked = [...read('index.html').matchAll(/<link rel="stylesheet"[^>]* href="\/([^"]+)"/g)];
    expect(linked.map(([, name]) => read(name!)).join('\n')).toMatch(/--bg:/);
  });

  test('has the project’s name as its title', () => {
    expect(read('index.html')).toContain('<title>temporal-kms</title>');
  });

  test('reads its configuration at run time', () => {
    expect(JSON.parse(read('config.json'))).toEqual({ apiUrl: '' });
  });
});

let fixtures: FixtureServer;
let server: PreviewServer;
let browser: Browser;
let url: string;

beforeAll(async () => {
  fixtures = await startFixtureServer();
  const [port = 0] = await freePorts(1);
  server = await preview({
    root,
    logLevel: 'error',
    build: { outDir },
    preview: { host: '127.0.0.1', port, strictPort: true, proxy: { '/api': fixtures.url } },
  });
  url = `http://127.0.0.1:${port}`;
  browser = await chromium.launch({ executablePath: await findChromium(), args: [...chromiumArguments] });
});
afterAll(async () => {
  await browser.close();
  await server.close();
  await fixtures.close();
});

const RUN = '/ns/sizes/workflows/order-88213/01997c2e-0000-7000-8000-000000000001';

/**
 * Opens a page with an empty cache. Returns the size of the page's scripts in KiB after gzip, including the worker's
 * scripts. The size of the card that explains a run is a separate number, because no other part of the page waits for
 * this card.
 */
async function loaded(
  path: string,
  ready: (page: Page) => Promise<unknown>,
): Promise<{ page: number; card: number }> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  const bodies: Promise<readonly [path: string, body: Buffer]>[] = [];
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.endsWith('.js')) bodies.push(response.body().then((body) => [pathname, body] as const));
  });
  await page.goto(`${url}${path}`);
  await ready(page);
  // Includes the scripts that the page loads after its first content.
  await page.waitForTimeout(1000);
  const sizes = { page: 0, card: 0 };
  for (const [name, body] of await Promise.all(bodies))
    sizes[name.includes('/why-card-') ? 'card' : 'page'] += gzipSync(body).length / 1024;
  await page.close();
  return sizes;
}

/** Opens a page whose scripts load only after `whileLoading`. Returns the paths that the page requested. */
async function opened(
  path: string,
  {
    whileLoading,
    ready,
    signIn,
  }: {
    whileLoading: (requested: readonly string[]) => Promise<unknown>;
    ready: (page: Page) => Promise<unknown>;
    signIn?: object;
  },
): Promise<readonly string[]> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const requested: string[] = [];
  let releaseScripts: (() => void) | undefined;
  const scriptsMayLoad = new Promise<void>((resolve) => {
    releaseScripts = resolve;
  });
  page.on('request', (request) => requested.push(new URL(request.url()).pathname));
  await page.route('**/assets/*.js', async (route) => {
    await scriptsMayLoad;
    await route.continue();
  });
  if (signIn) await page.route('**/api/sign-in', (route) => route.fulfill({ json: signIn }));
  await page.goto(`${url}${path}`, { waitUntil: 'commit' });
  await whileLoading(requested);
  releaseScripts?.();
  await ready(page);
  await page.close();
  return requested;
}

describe('the JavaScript that Chromium loads', () => {
  test('requests the configuration and the sign-in once each, without waiting for a script', async () => {
    const first = ['/config.json', '/api/sign-in'];
    const requested = await opened('/ns/sizes/workflows', {
      whileLoading: (soFar) =>
        expect.poll(() => soFar, { timeout: PATIENCE }).toEqual(expect.arrayContaining(first)),
      ready: (page) => page.getByRole('row').nth(3).waitFor(),
    });
    for (const path of first)
      expect(
        requested.filter((each) => each === path),
        path,
      ).toHaveLength(1);
  });

  test('requests a run and its page’s files once each, without waiting for a script', async () => {
    const description = '/api/namespaces/sizes/workflows/order-88213';
    const history = `${description}/runs/${RUN.split('/').at(-1)}/history`;
    const page = files()
      .filter((name) => /run-page-[^/]*\.(?:js|css)$/.test(name))
      .map((name) => `/${name}`);
    expect(page).toHaveLength(2);
    const first = [description, history, ...page];
    const requested = await opened(RUN, {
      whileLoading: (soFar) =>
        expect.poll(() => soFar, { timeout: PATIENCE }).toEqual(expect.arrayContaining(first)),
      ready: (opening) => opening.getByText('3 items to DE, EUR 128.90').first().waitFor(),
    });
    for (const path of [history, ...page])
      expect(
        requested.filter((each) => each === path),
        path,
      ).toHaveLength(1);
  });

  test('requests no run before the person has signed in', async () => {
    await opened(RUN, {
      signIn: { required: true },
      whileLoading: async (soFar) => {
        await expect.poll(() => soFar, { timeout: PATIENCE }).toContain('/api/sign-in');
        await new Promise((resolve) => {
          setTimeout(resolve, 500);
        });
        expect(soFar.filter((path) => path.startsWith('/api/namespaces'))).toEqual([]);
      },
      ready: () => Promise.resolve(),
    });
  });

  test('is at most 190 KiB for the list, after gzip', async () => {
    const size = await loaded('/ns/sizes/workflows', (page) => page.getByRole('row').nth(3).waitFor());
    expect(size.page).toBeLessThanOrEqual(190);
  });

  test('is at most 244 KiB for a run and 14 KiB for its card, after gzip', async () => {
    const size = await loaded(`${RUN}?ev=5`, async (page) => {
      await page.getByText('3 items to DE, EUR 128.90').first().waitFor();
      await page.getByRole('complementary').getByText('88213').first().waitFor();
      await page.getByRole('region', { name: 'Why' }).waitFor();
    });
    expect(size.page).toBeLessThanOrEqual(244);
    expect(size.card).toBeGreaterThan(0);
    expect(size.card).toBeLessThanOrEqual(14);
  });
});

/**
 * Opens a page whose requests to the `hanging` addresses get no response until `answers` is called, and whose clock the
 * test can advance.
 */
async function openedHanging(hanging: string, path = '/ns/sizes/workflows') {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.clock.install();
  const held: Route[] = [];
  let hangs = true;
  await page.route(hanging, (route) => (hangs ? void held.push(route) : route.continue()));
  await page.goto(`${url}${path}`, { waitUntil: 'commit' });
  return {
    page,
    answers: async () => {
      hangs = false;
      // The page may have aborted the request.
      for (const route of held) await route.continue().catch(() => undefined);
    },
  };
}

/** Advances the page's clock until the page gives up. */
const gaveUp = (page: Page, title: string) =>
  expect
    .poll(
      async () => {
        await page.clock.runFor(3_000);
        return page.getByRole('heading', { name: title }).isVisible();
      },
      { timeout: PATIENCE },
    )
    .toBe(true);

describe('a page whose server does not respond', () => {
  const words = 'Still waiting for an answer. The server or the network is slow.';
  /** The pause before the page's next attempt, in milliseconds. */
  const AGAIN = 5_000;

  test('shows its frame before the scripts have loaded, and says after three seconds that it is waiting', async () => {
    const { page, answers } = await openedHanging('**/assets/*.js');
    const title = page.getByText('temporal-kms', { exact: true });
    await title.waitFor();
    const late = page.getByText(words);
    // The animation may already have ended, and then the element does not list it.
    const animation = await late.evaluate((element) => {
      const { animationName, animationDuration } = getComputedStyle(element);
      return [animationName, animationDuration];
    });
    expect(animation).toEqual(['late', '3s']);
    await late.waitFor();
    await answers();
    await page.close();
  });

  test.each([
    ['the sign-in', '**/api/sign-in', '/ns/sizes/workflows', 'The codec server does not answer'],
    ['the configuration', '**/config.json', '/ns/sizes/workflows', 'The dashboard could not start'],
    ['the namespaces', '**/api/namespaces', '/', 'The codec server does not answer'],
  ])('says that it is waiting for %s, gives up, retries, and continues', async (_, hanging, path, title) => {
    const { page, answers } = await openedHanging(hanging, path);
    await page.getByText(words).waitFor();
    await gaveUp(page, title);
    await answers();
    if (title.startsWith('The dashboard')) await page.getByRole('button', { name: 'Try again' }).click();
    // From here, the clock must not be ahead of the requests, because the page would give up again.
    await page.clock.runFor(AGAIN);
    await page.getByRole('row').nth(3).waitFor();
    await page.close();
  });

  test('shows a run when the server responds again', async () => {
    const { page, answers } = await openedHanging('**/api/namespaces/**', RUN);
    await page.getByRole('heading', { level: 1, name: 'order-88213' }).waitFor();
    await gaveUp(page, 'The run could not be loaded');
    await answers();
    await page.clock.runFor(AGAIN);
    await page.getByText('3 items to DE, EUR 128.90').first().waitFor();
    await page.close();
  });
});

const top = (page: Page, role: 'grid' | 'treegrid') =>
  page.getByRole(role).evaluate((element) => element.scrollTop);

describe('an open page', () => {
  const RUN_400 = '/ns/sizes/workflows/payout-eu/01997c2e-0000-7000-8000-0000000000b1';
  test.each([
    ['a run', RUN_400],
    ['the list', '/ns/sizes/workflows'],
  ] as const)(
    'keeps the scroll position of %s after a reload, but starts at the top in another tab',
    async (_, path) => {
      const role = 'treegrid';
      const context = await browser.newContext();
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      await page.goto(`${url}${path}`);
      await page.getByRole('row').nth(10).waitFor();
      // The list loads more rows near its end.
      const scrolled = () =>
        page.getByRole(role).evaluate((element) => {
          element.scrollTo(0, 6_000);
          return element.scrollTop;
        });
      await expect.poll(scrolled, { timeout: PATIENCE }).toBe(6_000);
      // The page learns the position from the scroll event, which the browser dispatches before the next frame.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      for (let reload = 0; reload < 2; reload += 1) {
        await page.reload();
        await expect.poll(() => top(page, role), { timeout: PATIENCE }).toBe(6_000);
      }
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
      const other = await context.newPage();
      await other.goto(`${url}${path}`);
      await other.getByRole('row').nth(10).waitFor();
      await other.waitForTimeout(500);
      expect(await top(other, role)).toBe(0);
      await context.close();
    },
  );

  test('shows that it is disconnected while the browser is offline, and is live again afterwards', async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    await page.goto(`${url}${RUN}`);
    const state = page.locator('footer');
    await state.getByText(/^Live/).waitFor();
    await context.setOffline(true);
    await state.getByText(/^Disconnected/).waitFor();
    await context.setOffline(false);
    await state.getByText(/^Live/).waitFor();
    await context.close();
  });
});

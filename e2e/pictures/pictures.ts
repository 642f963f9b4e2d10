import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { screens } from '../test/all-screens.ts';
import { failingScreens } from '../test/failing-screens.ts';
import { signInAs } from '../test/people.ts';
import { openSignedIn, signedInScreens } from '../test/signed-in-screens.ts';

const project = join(import.meta.dirname, '..', '..');
/** The folder for all pictures, and for a page that shows them. The docs contain copies of some pictures. */
const folder = join(import.meta.dirname, '..', '.results', 'pictures');
const copies = join(project, 'docs', 'images', 'dashboard');

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;
const themes = ['dark', 'light'] as const;
/**
 * The factor that scales pictures to the width of a documentation page, so that all of them together take
 * only a few megabytes.
 */
const SCALE = 2 / 3;
const QUALITY = 50;

const administrator = 'Adam Admin';
const all = [screens, failingScreens, signedInScreens].flatMap((each) => Object.keys(each));

const fileName = (name: string) => name.replace(/^(the|an?) /, '').replaceAll(/\W+/g, '-');
const pictureName = (name: string, size: string, theme: string) => `${fileName(name)}.${size}.${theme}.webp`;

const title = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

/** Takes pictures of a page, in both sizes and both themes. */
async function draw(page: Page, name: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme);
      await page.mouse.move(0, 0);
      // Give the server time to decrypt the payloads that the new size has brought into view.
      await page.waitForTimeout(500);
      await page.evaluate(hidePath, project);
      const { data } = await session.send('Page.captureScreenshot', {
        format: 'webp',
        quality: QUALITY,
        clip: { x: 0, y: 0, ...viewport, scale: SCALE },
      });
      await writeFile(join(folder, pictureName(name, size, colorScheme)), data, 'base64');
    }
  }
  await session.detach();
}

/** Replaces the path of this project's folder in stack traces with `/app`. This function runs in the page. */
function hidePath(path: string): void {
  for (const element of document.querySelectorAll('body *')) {
    const text = element.textContent;
    if (text.includes(path) && ![...element.children].some((child) => child.textContent.includes(path)))
      element.textContent = text.replaceAll(path, '/app');
  }
}

/** Returns the HTML for a picture of a screen in the reader's theme. */
const picture = (name: string, size: string) => {
  const [dark, light] = themes.map((theme) => pictureName(name, size, theme));
  return `<picture><source media="(prefers-color-scheme: dark)" srcset="${dark}"><img src="${light}" alt="${title(name)}, on a ${size}"></picture>`;
};

let context: BrowserContext;

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(180_000);
  await mkdir(folder, { recursive: true });
  context = await browser.newContext({ baseURL: baseURL ?? '', viewport: sizes.desktop });
  const page = await context.newPage();
  await signInAs(page, administrator, '/ns/default/workflows');
  for (const [id, status] of [
    ['order-1001', 'Completed'],
    ['checkout-2001', 'Failed'],
    ['subscription-7001', 'Completed'],
  ] as const) {
    await page.goto(`/ns/default/workflows?q=${id}`);
    await expect(page.getByRole('row', { name: new RegExp(`${id} `) }).first()).toContainText(status, {
      timeout: 90_000,
    });
  }
  await page.close();
});

for (const [name, open] of [...Object.entries(screens), ...Object.entries(failingScreens)]) {
  test(name, async () => {
    const page = await context.newPage();
    await open(page);
    await draw(page, name);
    await page.close();
  });
}

for (const [name, screen] of Object.entries(signedInScreens)) {
  test(name, async ({ browser, baseURL }) => {
    const own = await browser.newContext({ baseURL: baseURL ?? '', viewport: sizes.desktop });
    const page = await own.newPage();
    await openSignedIn(page, screen);
    await draw(page, name);
    await own.close();
  });
}

test.afterAll(async () => {
  await context.close();
  const pages = await Promise.all(
    ['README.md', 'docs/dashboard.md'].map((page) => readFile(join(project, page), 'utf8')),
  );
  const shown = new Set(
    pages.flatMap((page) =>
      [...page.matchAll(/images\/dashboard\/([\w.-]+\.webp)/g)].map(([, file]) => file),
    ),
  );
  for (const file of await readdir(copies)) if (!shown.has(file)) await rm(join(copies, file));
  for (const file of await readdir(folder))
    if (shown.has(file)) await copyFile(join(folder, file), join(copies, file));
  const sections = all.map(
    (name) => `## ${title(name)}\n\n${picture(name, 'desktop')}\n\n${picture(name, 'phone')}\n`,
  );
  await writeFile(join(folder, 'screens.md'), ['# Screens of the dashboard\n', ...sections].join('\n'));
});

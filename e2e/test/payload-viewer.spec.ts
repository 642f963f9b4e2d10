import { readFile, stat } from 'node:fs/promises';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { expectAccessible } from './screens.ts';
import { isDeployed, latestRun, untilStatus } from './stack.ts';

/* Tests, on the running stack, how the dashboard shows payloads and stack traces in full. */

test.use({ viewport: { width: 1440, height: 900 } });

/** The input of `order-1001` in the form that the client's converter wrote. */
const INPUT =
  '{"customer":"Mira Lindqvist","address":"Harbour Street 4, Malmö","items":[' +
  '{"sku":"kettle","quantity":1,"cents":4900},{"sku":"coffee-mill","quantity":2,"cents":7250}]}';

async function openRun(page: Page, id: string, status: string): Promise<Locator> {
  await untilStatus(id, status);
  await page.goto(`/ns/default/workflows/${id}/${(await latestRun(id)).runId}?ev=1`);
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await expect(inspector.getByRole('tree', { name: 'Input' })).toBeVisible();
  return inspector;
}

async function choose(inspector: Locator, payload: string, item: string): Promise<void> {
  await inspector.getByRole('button', { name: `More about ${payload}`, exact: true }).click();
  await inspector.page().getByRole('menu').getByText(item).click();
}

test('a saved or copied payload is exactly the text that the client wrote', async ({ page }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const inspector = await openRun(page, 'order-1001', 'Completed');
  const downloading = page.waitForEvent('download');
  await choose(inspector, 'input', 'Save as a file');
  const file = await downloading;
  expect(file.suggestedFilename()).toBe('order-1001.event-1.input.json');
  expect(await readFile(await file.path(), 'utf8')).toBe(INPUT);
  await inspector.getByRole('button', { name: 'Copy input' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(INPUT);
});

test('a root cause’s stack trace shows the application’s file and line', async ({ page }) => {
  const inspector = await openRun(page, 'checkout-2001', 'Failed');
  await page.getByRole('row', { name: /Workflow Failed/ }).click();
  await inspector.getByRole('tab', { name: 'Failure' }).click();
  const causes = inspector.getByRole('tabpanel', { name: 'Failure' }).getByRole('list').getByRole('listitem');
  const root = causes.last();
  await expect(root).toContainText('Issuer: card of Tomás Ferreira is blocked');
  // The page initially shows the root cause's stack trace.
  const own = root.locator('[data-own="true"]');
  await expect(own.first()).toHaveText(
    isDeployed() ? /authorizeCard.*main\.mjs:\d+:\d+$/ : /authorizeCard.*activities\.ts:\d+:\d+$/,
  );
  await expect(own.first()).toBeVisible();
  const first = causes.first();
  await first.getByRole('button', { name: /^Stack trace/ }).click();
  await expect(first.locator('[data-own="true"]').first()).toHaveText(/checkout.*:\d+:\d+$/);
  await expectAccessible(page, 0);
});

test('the page reads a payload of 12 MB from external storage on request, shows it and saves it', async ({
  page,
}) => {
  const id = 'price-list-9701';
  // The price list's workflow starts after the other samples, so it may still be running.
  await untilStatus(id, 'Completed');
  await page.goto(`/ns/default/workflows/${id}/${(await latestRun(id)).runId}`);
  await page
    .getByRole('row', { name: /Stored in/ })
    .first()
    .click();
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  const read = inspector.getByRole('button', { name: 'Read 12 MB from storage' });
  await expect(inspector.getByText('In external storage', { exact: true })).toBeVisible();
  await expectAccessible(page, 3);
  await read.press('Enter');
  await expect(inspector.getByRole('button', { name: /^More about result/ })).toBeVisible();
  const downloading = page.waitForEvent('download');
  await choose(inspector, 'result', 'Save as a file');
  const file = await downloading;
  expect((await stat(await file.path())).size).toBeGreaterThan(11_000_000);
});

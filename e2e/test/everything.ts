import { readFile } from 'node:fs/promises';
import { expect, type Page } from '@playwright/test';
import { focusField } from './screens.ts';

/** A name that occurs only in payloads, such as those of order-1001 and its child workflow. */
export const SURNAME = 'Lindqvist';

const LIST = '/ns/default/workflows?q=order-1001';

/**
 * Uses, in one document, each part of the dashboard that shows, searches or saves plaintext. Ends on a page
 * that shows plaintext.
 */
export async function useEverything(page: Page): Promise<void> {
  // Tests cannot use the browser's file dialog, which is outside the page.
  await page.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
  await page.goto(LIST);
  await searchRuns(page);
  await readRun(page);
  await readTabs(page);
  await readFileAgain(page, await exportRun(page));
  await focusField(page, 'Control+k');
  await page.keyboard.type('order-1001');
  await page.getByRole('option', { name: /^order-1001 ?order/ }).click();
  await page.locator('[data-key="g1"]').click();
  await expect(page.getByRole('complementary', { name: 'Inspector' })).toContainText(SURNAME);
}

async function searchRuns(page: Page): Promise<void> {
  await expect(page.getByRole('link', { name: 'order-1001', exact: true })).toBeVisible();
  await page.keyboard.press('Control+Shift+F');
  const panel = page.getByRole('complementary', { name: 'Search in payloads' });
  await panel.getByRole('textbox').fill(SURNAME);
  await page.keyboard.press('Enter');
  const found = panel.getByRole('list', { name: 'Runs with matches' });
  await found.getByRole('link', { name: /order-1001 ?order, / }).click();
  await expect(page.getByRole('region', { name: 'Matches' }).locator('mark').first()).toHaveText(SURNAME);
}

async function readRun(page: Page): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Find in decrypted payloads' });
  await field.fill(`Mira ${SURNAME}`);
  await page.keyboard.press('Enter');
  await expect(page.getByText(/payloads searched/).first()).toBeVisible();
  // While the search runs, the first Escape only stops the search.
  await expect(async () => {
    await page.keyboard.press('Escape');
    await expect(field).toBeHidden({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
  await page.locator('[data-key="g1"]').click();
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  for (const pane of ['Attributes', 'Crypto', 'Raw']) {
    await inspector.getByRole('tab', { name: pane }).click();
    await expect(inspector.getByRole('tabpanel')).not.toBeEmpty();
  }
  await inspector.getByRole('button', { name: 'Decoded', exact: true }).click();
  await expect(inspector).toContainText(SURNAME);
  await inspector.getByRole('tab', { name: 'Payloads' }).click();
  await inspector.getByRole('button', { name: 'Copy input' }).click();
  // On a busy machine, the first failure can be a workflow task that timed out, which has no text.
  await page.getByRole('row').filter({ hasText: 'redeemVoucher' }).click();
  await inspector.getByRole('tab', { name: 'Failure' }).click();
  await page.getByRole('button', { name: /^input/ }).click();
  await expect(page.getByRole('region', { name: 'Input' })).toContainText(SURNAME);
}

async function readTabs(page: Page): Promise<void> {
  for (const name of [/^Memo/, /^Metadata/]) {
    await page.getByRole('tab', { name }).click();
    await expect(page.getByRole('tabpanel')).toContainText(SURNAME);
  }
  await page.getByRole('tab', { name: /^Relations/ }).click();
  await page.getByRole('button', { name: 'Events of order-1001-delivery' }).click();
  await expect(page.getByRole('tabpanel')).toContainText(SURNAME);
}

/** Exports the run's history, and returns the text of the file. */
async function exportRun(page: Page): Promise<string> {
  await page.keyboard.press('x');
  return saveExport(page);
}

/** Exports through the dialog, which must be open, and returns the text of the file. */
export async function saveExport(page: Page): Promise<string> {
  const dialog = page.getByRole('dialog', { name: 'Export history' });
  const downloading = page.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Export' }).click();
  const text = await readFile(await (await downloading).path(), 'utf8');
  expect(text).toContain(SURNAME);
  await dialog.getByRole('button', { name: 'Done' }).click();
  return text;
}

async function readFileAgain(page: Page, text: string): Promise<void> {
  await openFile(page, text);
  await expect(page.getByText('order.json', { exact: true })).toBeVisible();
}

/** Opens a file with the history of the order, and waits until its events are decrypted. */
export async function openFile(page: Page, text: string): Promise<void> {
  const choosing = page.waitForEvent('filechooser');
  // A phone and a desktop show different buttons with this name.
  await page.getByRole('button', { name: 'Open a history file' }).filter({ visible: true }).click();
  const file = { name: 'order.json', mimeType: 'application/json', buffer: Buffer.from(text) };
  await (await choosing).setFiles(file);
  await expect(page.locator('[data-key="g1"]')).toContainText(SURNAME);
}

/** Returns everything that the browser stores for a page, together with TanStack Query's cache, as text. */
export async function keptBy(page: Page): Promise<string> {
  return page.evaluate(async () => {
    interface Fiber {
      readonly memoizedProps?: { readonly services?: { readonly queries?: object } } | null;
      readonly child?: Fiber | null;
      readonly sibling?: Fiber | null;
    }
    const root = document.querySelector('#root');
    const key = Object.keys(root ?? {}).find((name) => name.startsWith('__reactContainer$')) ?? '';
    const waiting: (Fiber | null | undefined)[] = [Reflect.get(root ?? {}, key)];
    let queries: object | undefined;
    while (waiting.length > 0 && !queries) {
      const fiber = waiting.pop();
      if (!fiber) continue;
      queries = fiber.memoizedProps?.services?.queries;
      waiting.push(fiber.sibling, fiber.child);
    }
    if (!queries) throw new Error('The page has no query client.');
    const cache: { getAll(): readonly { readonly queryKey: unknown; readonly state: unknown }[] } =
      Reflect.get(queries, 'getQueryCache').call(queries);
    const known = cache.getAll();
    if (known.length === 0) throw new Error('The query cache is empty.');
    const cached = await Promise.all(
      (await caches.keys()).map(async (name) =>
        (await (await caches.open(name)).keys()).map(({ url }) => url),
      ),
    );
    return JSON.stringify({
      queries: known.map(({ queryKey, state }) => [queryKey, state]),
      local: Object.entries(localStorage),
      session: Object.entries(sessionStorage),
      cookies: document.cookie,
      databases: await indexedDB.databases(),
      caches: cached,
      workers: (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope),
      history: navigation.entries().map((entry) => [entry.url, entry.getState()]),
      state: history.state as unknown,
      title: document.title,
      name: window.name,
    });
  });
}

import { expect, type Page, test } from '@playwright/test';
import { moveTo } from './screens.ts';
import { latestRun } from './stack.ts';

/* Tests, on the running stack, the list's settings, its search, and the return to a position. */

test.use({ viewport: { width: 1440, height: 900 } });

const grid = (page: Page) => page.getByRole('treegrid');

async function openList(page: Page): Promise<void> {
  await page.goto('/ns/default/workflows');
  await expect(grid(page).locator('[data-index]').first()).toBeVisible();
}

test('settings change the page immediately, and persist after a reload', async ({ page }) => {
  await openList(page);
  // Find the element by its attribute, because an open dialog hides the rest of the page from queries by role.
  const started = page.locator('[role="treegrid"] time').first();
  await page.getByRole('button', { name: 'Settings' }).click();
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  const choose = (group: string, name: string) =>
    dialog.getByRole('group', { name: group }).getByRole('button', { name, exact: true }).click();
  await choose('Theme', 'Light');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await choose('Clock', '12 hours');
  await expect(started).toHaveText(/\d [ap]m$/);
  await choose('Rows', 'Comfortable');
  await dialog.getByRole('combobox', { name: 'Time zone' }).fill('kathmandu');
  await page.getByRole('option', { name: /Asia\/Kathmandu/ }).click();
  await expect(page.locator('header').first()).toContainText('UTC+5:45');
  await choose('Character keys', 'Off');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await expect(started).toHaveText(/\d [ap]m$/);
  await expect(page.locator('header').first()).toContainText('UTC+5:45');
  expect((await grid(page).locator('[data-index]').first().boundingBox())?.height).toBe(36);
  // The shortcut `?` for help does nothing, because the settings have switched off single-character shortcuts.
  await page.keyboard.press('?');
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog', { name: 'Search or jump to' })).toBeVisible();
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeHidden();
});

test('the palette opens a run by its run id', async ({ page }) => {
  const { runId } = await latestRun('order-1002');
  await openList(page);
  await page.keyboard.press('Control+k');
  await page
    .getByRole('dialog', { name: 'Search or jump to' })
    .locator('input:not([aria-hidden])')
    .fill(runId);
  await page.getByRole('option', { name: /^order-1002 ?order/ }).click();
  await expect(page).toHaveURL(new RegExp(runId));
});

test('Back restores the scroll position, the row and the focus in the list and in a run', async ({
  page,
}) => {
  await page.setViewportSize({ width: 1440, height: 420 });
  await openList(page);
  const scroller = grid(page);
  const row = scroller
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name: 'order-1001', exact: true }) });
  // Move the focus to the last row and then back up, so that the list is scrolled unless `row` is the first row.
  const scrolled = () => scroller.evaluate(({ scrollTop }) => scrollTop);
  await page.keyboard.press('End');
  await expect.poll(scrolled).toBeGreaterThan(0);
  await moveTo(page, row, 'k');
  const top = await scrolled();
  expect(top).toBeGreaterThan(0);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeFocused();

  const event = page.locator('[data-key^="g"]').nth(8);
  const key = await event.getAttribute('data-key');
  await event.click();
  await page.getByRole('tab', { name: /^Relations/ }).click();
  await page.getByRole('link', { name: 'order-1001-delivery' }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001-delivery' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001', exact: true })).toBeVisible();
  await page.getByRole('tab', { name: /^History/ }).click();
  await expect(page.locator(`[data-key="${key}"]`)).toHaveAttribute('aria-selected', 'true');

  await page.getByRole('link', { name: 'All workflows' }).click();
  await expect(row).toBeFocused();
  expect(await scrolled()).toBeCloseTo(top, -1);
});

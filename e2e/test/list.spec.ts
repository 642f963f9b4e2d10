import { expect, type Page, test } from '@playwright/test';
import { expectAccessible, moveTo } from './screens.ts';
import { latestRun, untilSamplesEnded } from './stack.ts';

/* What a reader changes in the list, finds in it and comes back to, over the running stack. */

test.use({ viewport: { width: 1440, height: 900 } });

const LIST = '/ns/default/workflows';
const grid = (page: Page) => page.getByRole('treegrid');
const head = (page: Page, name: string) => grid(page).getByRole('columnheader', { name, exact: true });
const heads = (page: Page) =>
  grid(page)
    .locator('[data-column]')
    .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('data-column')));
const widthOf = async (page: Page, name: string) => (await head(page, name).boundingBox())?.width ?? 0;

async function openList(page: Page, query = ''): Promise<void> {
  await page.goto(`${LIST}${query}`);
  await expect(grid(page).locator('[data-index]').first()).toBeVisible();
}

test('settings change the page at once, and hold after a reload', async ({ page }) => {
  await openList(page);
  // A dialog hides the rest of the page from roles.
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
  // The key for help types a character, so it is off.
  await page.keyboard.press('?');
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog', { name: 'Search or jump to' })).toBeVisible();
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeHidden();
});

test('columns are chosen, ordered and resized, and the address and the browser keep them', async ({
  page,
}) => {
  await openList(page);
  expect(await heads(page)).not.toContain('run');
  await page.getByRole('button', { name: 'Columns' }).click();
  const dialog = page.getByRole('dialog', { name: 'Columns' });
  await dialog.getByRole('checkbox', { name: 'Run ID' }).check({ force: true });
  await dialog.getByRole('checkbox', { name: 'Size' }).uncheck({ force: true });
  await dialog.getByRole('button', { name: 'Move Type up' }).click();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(head(page, 'Run ID')).toBeVisible();
  await expect(head(page, 'Size')).toBeHidden();
  const order = await heads(page);
  expect(order.indexOf('type')).toBeLessThan(order.indexOf('id'));

  const before = await widthOf(page, 'Type');
  const handle = page.getByRole('separator', { name: 'Width of Type' });
  const box = await handle.boundingBox();
  if (!box) throw new Error('The column has no handle.');
  const toTheLeft = (await handle.getAttribute('data-side')) === 'left';
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + (toTheLeft ? -60 : 60), box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await expect.poll(() => widthOf(page, 'Type')).toBeGreaterThan(before + 40);
  const wide = await widthOf(page, 'Type');
  await handle.focus();
  await page.keyboard.press(toTheLeft ? 'ArrowLeft' : 'ArrowRight');
  await expect.poll(() => widthOf(page, 'Type')).toBeGreaterThan(wide + 4);

  // Columns that do not fit are scrolled into view.
  const last = head(page, 'Run ID');
  expect(await last.evaluate((cell) => cell.getBoundingClientRect().right)).toBeGreaterThan(1_500);
  await grid(page).evaluate((element) => element.scrollTo({ left: 10_000 }));
  expect(await last.evaluate((cell) => cell.getBoundingClientRect().right)).toBeLessThanOrEqual(1_440);

  // A shared address has the columns; another visit has the widths.
  await page.reload();
  await expect(head(page, 'Run ID')).toBeVisible();
  expect(await heads(page)).toEqual(order);
  expect(await widthOf(page, 'Type')).toBeGreaterThan(wide + 4);
});

test('the palette goes to a run by its run id', async ({ page }) => {
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

test('Back finds the scroll position, the row and the focus of the list and of a run', async ({ page }) => {
  await page.setViewportSize({ width: 1440, height: 420 });
  await openList(page);
  const scroller = grid(page);
  const row = scroller
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name: 'order-1001', exact: true }) });
  // The keyboard leads to the last row and back up, so the list has scrolled wherever the row is, unless it is the first.
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

test('two runs that are picked by key are compared: input, result or failure, and their steps', async ({
  page,
}) => {
  await untilSamplesEnded();
  await openList(page);
  for (const id of ['order-1001 ', 'checkout-2001 ']) {
    await page
      .getByRole('row', { name: new RegExp(id) })
      .first()
      .focus();
    await page.keyboard.press('x');
  }
  const picked = page.getByRole('region', { name: 'Runs to compare' });
  await expect(picked.getByRole('listitem')).toHaveCount(2);
  await page.keyboard.press('d');
  await expect(page.getByRole('heading', { name: 'Compare runs' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Input differs' })).toBeVisible();
  const steps = page.getByRole('list', { name: 'Steps of the two runs' });
  await expect(steps).toContainText('first run only');
  await page.getByRole('button', { name: 'Result and failure differ' }).click();
  const dialog = page.getByRole('dialog', { name: /^Workflow/ });
  await expect(dialog).toContainText('Delivered to Mira Lindqvist');
  await expect(dialog).toContainText('Checkout of Tomás Ferreira failed');
});

test('two runs are picked by pointer on a phone, and compared', async ({ page }) => {
  await untilSamplesEnded();
  await page.setViewportSize({ width: 390, height: 844 });
  await openList(page);
  await page.getByRole('button', { name: 'Pick runs to compare' }).click();
  const picked = page.getByRole('region', { name: 'Runs to compare' });
  await expect(picked).toContainText('Pick two runs to compare');
  for (const id of ['order-1001', 'checkout-2001']) {
    const row = grid(page)
      .getByRole('row')
      .filter({ has: page.getByText(id, { exact: true }) })
      .first();
    await row.getByText(id, { exact: true }).click();
    await expect(row.getByRole('checkbox')).toBeChecked();
  }
  await expect(picked.getByRole('listitem')).toHaveCount(2);
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await picked.getByRole('link', { name: 'Compare' }).click();
  await expect(page.getByRole('heading', { name: 'Compare runs' })).toBeVisible();
});

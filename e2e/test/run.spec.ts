import { expect, type Page, test } from '@playwright/test';
import { untilStatus } from './stack.ts';

/* Tests the tools on a run's page, on the running stack. */

test.use({ viewport: { width: 1440, height: 900 } });

const RUN = '/ns/default/workflows/order-1001';
const DAY_AND_TIME = /\d{4}-\d\d-\d\dT[\d:.]+/;

async function openRun(page: Page): Promise<void> {
  await untilStatus('order-1001', 'Completed');
  await page.goto(RUN);
  await expect(page.locator('[data-key="g1"]')).toContainText('Mira Lindqvist');
}

test('a person chooses the visible period by dragging, with the keyboard or by entering times, and resets it', async ({
  page,
}) => {
  await openRun(page);
  const reset = page.getByRole('button', { name: 'Show the whole run' });
  await expect(reset).toBeHidden();

  // The person drags in the overview to choose a period.
  const brush = page.getByRole('slider').first();
  const box = await brush.locator('xpath=..').boundingBox();
  if (!box) throw new Error('The overview has no size.');
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+/);
  await expect(page).toHaveURL(/to=\d+/);
  await reset.click();
  await expect(page).not.toHaveURL(/from=/);

  // The person moves one end of the period with the keyboard.
  await brush.focus();
  await page.keyboard.press('ArrowRight');
  await expect(page).toHaveURL(/from=\d+/);
  await page.keyboard.press('0');
  await expect(page).not.toHaveURL(/from=/);

  // The person enters a start time.
  await page.getByRole('button', { name: 'Visible time' }).click();
  const dialog = page.getByRole('dialog', { name: /^Visible time/ });
  const from = dialog.getByLabel('From');
  await expect(from).toHaveValue(DAY_AND_TIME);
  const start = Date.parse(`${await from.inputValue()}Z`);
  await from.fill(new Date(start + 2_000).toISOString().slice(0, -1));
  await dialog.getByRole('button', { name: 'Show', exact: true }).click();
  await expect(page).toHaveURL(/from=2000/);
  // After a reload, the page restores the visible period from the URL.
  await page.reload();
  await expect(reset).toBeVisible();
});

test('a message above the rows does not move any row', async ({ page }) => {
  await openRun(page);
  const row = page.locator('[data-key="g1"]');
  const before = await row.boundingBox();
  await page.route(/payloads:decode$/, (route) =>
    route.fulfill({
      status: 403,
      json: { error: { code: 'forbidden', message: 'You may not decode in this namespace.' } },
    }),
  );
  await page.keyboard.press(']');
  await page.keyboard.press('End');
  await expect(page.getByText('You may not decode in this namespace.').first()).toBeVisible();
  await page.keyboard.press('Home');
  await expect.poll(() => row.boundingBox()).toEqual(before);
});

test('a run’s tabs use the full width of the page', async ({ page }) => {
  await openRun(page);
  for (const tab of ['pending', 'relations', 'memo', 'metadata']) {
    await page.goto(`${RUN}?tab=${tab}`);
    const panel = page.getByRole('tabpanel');
    await expect(panel).not.toBeEmpty();
    const content = panel.locator('> *').first();
    expect((await content.boundingBox())?.width ?? 0, tab).toBeGreaterThan(1_300);
  }
});

test('a badge explains in text and tooltip that the format does not record the key version', async ({
  page,
}) => {
  await openRun(page);
  await page.goto('/ns/default/workflows?q=order-1002&cols=id,keys');
  const badge = page
    .getByRole('row', { name: /order-1002 / })
    .locator('[data-tip*="does not record"]')
    .first();
  await expect(badge).toContainText('v? is a version that the format does not record');
  await badge.hover();
  await expect(page.locator('[data-tooltip]')).toContainText('this format does not record the key version');
});

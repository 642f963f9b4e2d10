import { expect, test } from '@playwright/test';
import { focusField, moveTo } from './screens.ts';

test.use({ viewport: { width: 1440, height: 900 } });

test('with only the keyboard, a person finds a workflow, reads a payload, follows the workflow to its child, and comes back', async ({
  page,
}) => {
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'order-1001', exact: true })).toBeVisible();

  // The first Tab stop is a link that skips the controls. The shortcut `/` moves the focus to the filter.
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await focusField(page, '/');
  await page.keyboard.type('order-1001');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/order-1001/);
  // The list does not take the focus while it is loading.
  await page.waitForLoadState('networkidle');
  await page.keyboard.press('Escape');
  const row = page
    .getByRole('row')
    .filter({ has: page.getByRole('link', { name: 'order-1001', exact: true }) });
  await moveTo(page, row);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeFocused();

  // `j` moves the focus to the first row, End to the last row, and Home back to the first row.
  const focused = page.locator('[role="row"]:focus');
  await expect(page.locator('[data-key="g1"]')).toBeVisible();
  await page.keyboard.press('j');
  await expect(focused).toHaveAttribute('data-key', 'g1');
  await page.keyboard.press('End');
  await expect(focused).toContainText('Completed');
  await page.keyboard.press('Home');
  await expect(focused).toHaveAttribute('data-key', 'g1');

  // The arrow keys open and close a group, and `j` moves the focus to an event in the open group.
  await page.keyboard.press('j');
  await expect(focused).not.toHaveAttribute('data-key', 'g1');
  await expect(focused).toHaveAttribute('aria-expanded', 'false');
  const group = await focused.getAttribute('data-key');
  await page.keyboard.press('ArrowRight');
  await expect(focused).toHaveAttribute('aria-expanded', 'true');
  await page.keyboard.press('j');
  await expect(focused).toHaveAttribute('data-key', /^e\d+$/);
  await page.keyboard.press('k');
  await page.keyboard.press('ArrowLeft');
  await expect(focused).toHaveAttribute('aria-expanded', 'false');
  await expect(focused).toHaveAttribute('data-key', String(group));

  // The person reads the first event's payloads in the inspector, and reaches the button that copies the input.
  await page.keyboard.press('Home');
  await page.keyboard.press(' ');
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await expect(inspector).toContainText('Harbour Street 4, Malmö');
  await page.keyboard.press('i');
  await expect(inspector).toBeFocused();
  await page.keyboard.press('2');
  await expect(inspector.getByRole('tab', { name: 'Attributes' })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('1');
  for (let stops = 0; stops < 12; stops += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement?.getAttribute('aria-label') === 'Copy input')) break;
  }
  await expect(inspector.getByRole('button', { name: 'Copy input' })).toBeFocused();
  // Esc first moves the focus back to the row, and then closes the inspector.
  await page.keyboard.press('Escape');
  await expect(focused).toHaveAttribute('data-key', 'g1');
  await page.keyboard.press('Escape');
  await expect(inspector).toBeHidden();

  // The person jumps to the failure, then to the child, and then, with a shortcut, back to the parent.
  await page.keyboard.press('e');
  await expect(focused).toContainText('redeemVoucher');
  await focusField(page, 'Control+k');
  await page.keyboard.type('order-1001-del');
  await expect(page.getByRole('option', { name: /^order-1001-delivery/ })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001-delivery' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Parent order-1001' })).toBeVisible();
  await page.keyboard.press('u');
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001', exact: true })).toBeVisible();
});

import { expect, test } from '@playwright/test';
import { untilStatus } from './stack.ts';

/*
 * Tests the audit page on the running stack, without sign-in. sign-in.spec.ts tests the audit page with
 * sign-in.
 */

test.use({ viewport: { width: 1440, height: 900 } });

test('the audit page shows a recent decryption, and links to its run', async ({ page }) => {
  await untilStatus('order-1001', 'Completed');
  await page.goto('/ns/default/workflows/order-1001');
  await expect(page.locator('body')).toContainText('Mira Lindqvist');
  const run = new URL(page.url()).pathname;

  await page.keyboard.press('Shift+A');
  await expect(page).toHaveURL(/\/ns\/default\/audit$/);
  const search = page.getByRole('search', { name: 'Filter the audit' });
  await expect(search).toBeVisible();
  await page.keyboard.press('/');
  await expect(search.getByRole('textbox', { name: 'Person' })).toBeFocused();
  await search.getByRole('textbox', { name: 'Workflow id' }).fill('order-1001');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\?wf=order-1001$/);
  const decoded = page.getByRole('row', { name: /anonymous Decrypt order-1001/ }).first();
  await expect(decoded).toContainText('Complete');
  const entries = page.getByRole('row').filter({ has: page.getByRole('gridcell') });
  await expect(entries.filter({ hasNotText: 'order-1001' })).toHaveCount(0);

  await decoded.getByRole('link', { name: 'order-1001' }).click();
  await expect(page).toHaveURL((url) => url.pathname === run);
  await page.goBack();
  await expect(decoded).toBeVisible();
});

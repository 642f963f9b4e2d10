import { expect, test } from '@playwright/test';
import { focusField } from './screens.ts';

test.use({ viewport: { width: 1440, height: 900 } });

test('a running workflow shows new events as they arrive', async ({ page }) => {
  await page.goto('/');
  // After a few minutes, the workflow continues as new, so the list begins with the latest run.
  await page.getByText('courier-3001', { exact: true }).first().click();
  await page.keyboard.press('Enter');
  const history = page.getByRole('tab', { name: /History/ });
  await expect(history).toHaveText(/\d/);
  const count = async () => Number((await history.innerText()).replaceAll(/\D/g, ''));
  const before = await count();
  await expect.poll(count, { timeout: 60_000 }).toBeGreaterThan(before);
});

test('a filter condition appears in the URL and in the query, and Back returns to the same row', async ({
  page,
}) => {
  await page.goto('/');
  // The courier's workflow is running, so the list begins with it.
  const courier = page.getByText('courier-3001', { exact: true }).first();
  await expect(courier).toBeVisible();
  await focusField(page, '/');
  await page.keyboard.type('checkout');
  await page.keyboard.press('Enter');
  await expect(courier).toBeHidden();
  await expect(page.getByText('checkout-2001', { exact: true })).toBeVisible();
  await expect(page).toHaveURL(/q=.*WorkflowId\+STARTS_WITH/);
  await page.getByRole('button', { name: 'Query' }).click();
  await expect(page.getByRole('textbox', { name: 'Visibility query' })).toHaveValue(
    '(WorkflowId STARTS_WITH "checkout" OR WorkflowType STARTS_WITH "checkout")',
  );
  const link = page.getByRole('link', { name: 'checkout-2001', exact: true });
  const row = page.getByRole('row').filter({ has: link });
  await row.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText('Checkout of Tomás Ferreira failed').first()).toBeVisible();
  await page.goBack();
  await expect(row).toBeFocused();
});

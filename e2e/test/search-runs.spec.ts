import { expect, test } from '@playwright/test';

test.use({ viewport: { width: 1440, height: 900 } });

/** A name that occurs in the payloads of order-1001, but in no id. */
const NAME = 'Lindqvist';

test('a search over all runs of the list finds the run that mentions a name, and opens the run at the match', async ({
  page,
}) => {
  const requested: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  await page.goto('/ns/default/workflows?q=order-1001');
  await expect(page.getByRole('link', { name: 'order-1001', exact: true })).toBeVisible();
  await page.keyboard.press('Control+Shift+F');
  const panel = page.getByRole('complementary', { name: 'Search in payloads' });
  await panel.getByRole('textbox', { name: 'Text in the payloads of all runs' }).fill(NAME);
  await page.keyboard.press('Enter');
  const found = panel.getByRole('list', { name: 'Runs with matches' });
  const link = found.getByRole('link', { name: /order-1001 ?order, / });
  await expect(link).toBeVisible();
  await expect(panel.getByText(/runs?, [\d,]+ payloads searched/)).toBeVisible();
  await expect(found.locator('mark').first()).toHaveText(NAME);
  // In this namespace, people need not reveal payloads, so the matches also show the text around the name.
  await expect(found).toContainText('Mira');

  await link.click();
  await expect(page.getByRole('heading', { name: 'order-1001' })).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'Find in decrypted payloads' })).toHaveValue(NAME);
  const matches = page.getByRole('region', { name: 'Matches' });
  await expect(matches.locator('[aria-current="true"] mark')).toHaveText(NAME);
  await expect(page.getByRole('complementary', { name: 'Inspector' })).toBeVisible();

  const kept = await page.evaluate(() =>
    JSON.stringify([
      location.href,
      document.title,
      history.state,
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      document.cookie,
    ]),
  );
  expect(kept).not.toContain(NAME);
  expect(requested.filter((url) => url.includes(NAME))).toEqual([]);

  await page.goBack();
  await expect(link).toBeVisible();
  await page.getByRole('button', { name: 'Close the search' }).click();
  await expect(panel).toBeHidden();
});

test('the raw event shows the ciphertext as Temporal stores it', async ({ page }) => {
  await page.goto('/ns/default/workflows/order-1001?ev=1&pane=raw');
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await inspector.getByRole('button', { name: 'As stored' }).click();
  await expect(inspector.getByText('as Temporal stores it')).toBeVisible();
  // `binary/envelope-kms-v2` in base64.
  await expect(inspector).toContainText(Buffer.from('binary/envelope-kms-v2').toString('base64'));
  await expect(inspector).not.toContainText(NAME);
});

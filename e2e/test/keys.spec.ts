import { expect, test } from '@playwright/test';
import { untilStatus } from './stack.ts';

/* Tests the keys page on the running stack, without sign-in. */

test.use({ viewport: { width: 1440, height: 900 } });

/** A run whose payloads were encrypted under a key version that has been destroyed. */
const LOST = 'order-1005-destroyed-key';

test('the keys page shows key versions and their states, tests the keys, and links a failure to its event', async ({
  page,
}) => {
  await untilStatus(LOST, 'Completed');
  // The server tries to decrypt the payloads that are in view, and fails.
  await page.goto(`/ns/default/workflows/${LOST}`);
  await expect(page.locator('[data-key="g1"]')).toContainText('Key destroyed');
  const run = new URL(page.url()).pathname;

  await page.keyboard.press('Shift+K');
  await expect(page).toHaveURL(/\/ns\/default\/keys$/);
  const versions = page.getByRole('table', { name: 'Key versions' });
  await expect(versions.getByRole('row', { name: /v1 Enabled encrypts/ })).toBeVisible();
  await expect(versions.getByRole('row', { name: /v2 Destroyed decrypts.*lost for good/ })).toBeVisible();
  await expect(page.getByText(/All counts come from the server process/)).toBeVisible();
  await expect(page.getByText('No scan of stored histories')).toBeVisible();

  await page.keyboard.press('t');
  const tested = page.getByRole('table', { name: /^Test at/ });
  await expect(tested.getByRole('row', { name: /Passed v1 \d+ ms \d+ ms a round trip/ })).toBeVisible();

  const failures = page.getByRole('table', { name: 'Recent failures' });
  const failure = failures
    .getByRole('row', { name: /key_destroyed/ })
    .filter({ hasText: '#' })
    .first();
  await failure.getByRole('link', { name: LOST }).click();
  await expect(page).toHaveURL((url) => url.pathname === run && /^\?ev=\d+$/.test(url.search));
  await expect(page.getByRole('complementary').getByText('key_destroyed').first()).toBeVisible();
});

import type { Page } from '@playwright/test';

/** Opens a URL of `DEV_AUTH=1 pnpm dev`, and signs in as a sample person. */
export async function signInAs(page: Page, name: string, address: string): Promise<void> {
  await page.goto(address);
  const { origin } = new URL(page.url());
  await page.getByRole('button', { name: /^Sign in with/ }).click();
  await page.getByRole('button', { name }).click();
  await page.waitForURL((url) => url.origin === origin && url.pathname !== '/sign-in');
}

import type { Page } from '@playwright/test';

/** Signs a sample person of `DEV_AUTH=1 pnpm dev` in, and opens an address. */
export async function signInAs(page: Page, name: string, address: string): Promise<void> {
  await page.goto(address);
  const { origin } = new URL(page.url());
  await page.getByRole('button', { name: /^Sign in with/ }).click();
  await page.getByRole('button', { name }).click();
  await page.waitForURL((url) => url.origin === origin && url.pathname !== '/sign-in');
}

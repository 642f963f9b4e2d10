import type { Page } from '@playwright/test';
import { untilText, type Watched } from './browser.ts';

/** How long the benchmark waits for the page, in milliseconds: twice the limit for all groups. */
const PATIENCE = 120_000;
/**
 * For how many seconds a list is watched. The time is a little less than two refresh intervals of the list, so that
 * each request is sent at most twice.
 */
const REST_S = 118;

/** How long the page "Failures by cause" takes, in milliseconds. */
export interface Groups {
  readonly first: number;
  readonly all: number;
  /** The page's text about its Cloud KMS calls, such as `3 Cloud KMS calls`. */
  readonly calls: string;
}

export async function groups(page: Page, url: string): Promise<Groups> {
  const start = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.getByRole('list', { name: 'Causes' }).getByRole('listitem').first().waitFor();
  const first = performance.now() - start;
  await page.getByRole('button', { name: 'Read again' }).waitFor({ timeout: PATIENCE });
  const all = performance.now() - start;
  return { first, all, calls: await page.getByText(/^[\d,]+ Cloud KMS calls?$/).innerText() };
}

/** Returns how many milliseconds a comparison of two sets of runs takes the first and the second time. */
export async function comparisons(page: Page, url: string): Promise<readonly [cold: number, warm: number]> {
  await page.goto(url);
  const compare = async (name: string): Promise<number> => {
    const start = performance.now();
    await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('button', { name: 'Compare again' }).waitFor({ timeout: PATIENCE });
    await page.getByText('Comparing…').waitFor({ state: 'hidden' });
    return performance.now() - start;
  };
  return [await compare('Compare'), await compare('Compare again')];
}

/**
 * Returns the number of requests per minute that a list of workflows sends while no one uses the page. First waits
 * until the list shows `text`.
 */
export async function requestsAtRest(
  { page, requests }: Watched,
  url: string,
  text: string,
): Promise<number> {
  await page.goto(url);
  await untilText(page, text, performance.now());
  await page.waitForTimeout(10_000);
  // Requests for the server's health, the person and the namespaces do not count, because the shell sends
  // them, not the list.
  const asked = () => requests(/\/api\/namespaces\/./);
  const before = asked();
  await page.waitForTimeout(REST_S * 1_000);
  return (asked() - before) / Math.ceil(REST_S / 60);
}

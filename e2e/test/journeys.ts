import { expect, type Page } from '@playwright/test';
import { openFile, saveExport, SURNAME } from './everything.ts';

/*
 * The tasks of a person on call. The person uses only controls that both desktops and phones have, and no
 * keyboard shortcuts.
 */

const LIST = '/ns/default/workflows';

const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).first();
const inspector = (page: Page) => page.getByRole('complementary', { name: 'Inspector' });

async function openRun(page: Page, origin: string, id: string, search = ''): Promise<void> {
  await page.goto(`${origin}${LIST}/${id}${search}`);
  await expect(page.getByRole('heading', { level: 1, name: id })).toBeVisible();
}

/** The journeys. The key of each journey completes the sentence "a person …". */
export const journeys: Readonly<Record<string, (page: Page, origin: string) => Promise<void>>> = {
  'filters the list by status, and opens a run at its root cause': async (page, origin) => {
    await page.goto(`${origin}${LIST}`);
    await button(page, /^Failed \d/).click();
    await expect(page).toHaveURL(/ExecutionStatus/);
    await page.locator('[data-index]').getByText('checkout-2001', { exact: true }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'checkout-2001' })).toBeVisible();
    await expect(page.getByRole('region', { name: 'Why' })).toContainText(
      'Issuer: card of Tomás Ferreira is blocked',
    );
    await button(page, /^failure/).click();
    await expect(page.getByRole('region', { name: 'Failure' })).toContainText(
      'Issuer: card of Tomás Ferreira is blocked',
    );
  },
  'finds a text in the payloads of a run if no name contains the text': async (page, origin) => {
    await openRun(page, origin, 'order-1001');
    await expect(page.locator('[data-key="g1"]')).toContainText(SURNAME);
    await button(page, /^Find/).click();
    await page.getByRole('textbox', { name: /^Find/ }).fill('Harbour Street');
    await button(page, 'Find in decrypted payloads').click();
    const matches = page.getByRole('region', { name: 'Matches' });
    await expect(matches.locator('mark').first()).toHaveText('Harbour Street');
    expect(page.url()).not.toContain('Harbour');
  },
  'finds who mentions a name, in all runs': async (page, origin) => {
    await page.goto(`${origin}${LIST}?q=order-1001`);
    await button(page, 'Search payloads').click();
    const panel = page.getByRole('complementary', { name: 'Search in payloads' });
    await panel.getByRole('textbox').first().fill(SURNAME);
    await panel.getByRole('textbox').first().press('Enter');
    await panel.getByRole('link', { name: /order-1001 ?order, / }).click();
    await expect(page.getByRole('textbox', { name: 'Find in decrypted payloads' })).toHaveValue(SURNAME);
    await expect(inspector(page)).toContainText(SURNAME);
    const value = inspector(page).getByText(SURNAME).first();
    await value.scrollIntoViewIfNeeded();
    await expect(value).toBeInViewport();
  },
  'exports a decrypted history, and opens the file again': async (page, origin) => {
    await page.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
    await openRun(page, origin, 'order-1001');
    await button(page, 'Export').click();
    const text = await saveExport(page);
    await page.goto(`${origin}${LIST}`);
    await openFile(page, text);
  },
  'follows a run to its child, whose events open on the same page, and to its parent': async (
    page,
    origin,
  ) => {
    await openRun(page, origin, 'order-1001', '?tab=relations');
    await button(page, 'Events of order-1001-delivery').click();
    await expect(page.getByRole('link', { name: 'handOver' })).toBeVisible();
    await page.getByRole('link', { name: 'order-1001-delivery' }).first().click();
    await expect(page.getByRole('heading', { level: 1, name: 'order-1001-delivery' })).toBeVisible();
    await page.getByRole('link', { name: 'Parent order-1001' }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'order-1001', exact: true })).toBeVisible();
  },
  'reads why an activity is pending, and why a run is stuck': async (page, origin) => {
    await openRun(page, origin, 'settlement-5001', '?tab=pending');
    const pending = page.getByRole('article');
    await expect(pending).toContainText('Bank of Okafor Books is closed');
    await expect(pending).toContainText(/Attempt\d+, no maximum/);
    await expect(pending).toContainText('Next attempt');
    await expect(pending).toContainText('Last heartbeat');
    await openRun(page, origin, 'loyalty-report-8001');
    await expect(page.getByRole('region', { name: 'Why' })).toContainText(
      'Elif Aydın has no membership to report on',
    );
  },
  'reads input and result on the page of a run, and an event in full': async (page, origin) => {
    await openRun(page, origin, 'order-1001');
    await button(page, /^input/).click();
    await expect(page.getByRole('region', { name: 'Input' })).toContainText('Harbour Street 4, Malmö');
    await expect(page.getByRole('region', { name: 'Result' })).toContainText(`Delivered to Mira ${SURNAME}`);
    await button(page, /^input/).click();
    await page.locator('[data-key="g9"]').click();
    await expect(inspector(page)).toContainText('19400');
    await inspector(page).getByRole('tab', { name: 'Crypto' }).click();
    await expect(inspector(page).getByRole('tabpanel')).toContainText('v1');
  },
  'reads which key a payload lacks, and finds its version among the keys': async (page, origin) => {
    await openRun(page, origin, 'order-1005-destroyed-key', '?ev=1');
    await expect(inspector(page)).toContainText('key_destroyed');
    await page.goto(`${origin}/ns/default/keys`);
    await expect(page.getByRole('table', { name: 'Key versions' })).toContainText('Destroyed');
    await button(page, 'Test the keys').click();
    await expect(page.getByRole('table', { name: /^Test at/ })).toContainText('Passed');
  },
  'reads in the audit who decrypted, and verifies its chain': async (page, origin) => {
    await openRun(page, origin, 'order-1001');
    await expect(page.locator('[data-key="g1"]')).toContainText(SURNAME);
    await page.goto(`${origin}/ns/default/audit`);
    // The newest row may be a request that was cut off when the person left the run.
    const decrypted = page.getByRole('row', { name: /Decrypt/ }).filter({ hasText: 'order-1001' });
    await expect(decrypted.filter({ hasText: 'Complete' }).first()).toBeVisible();
    await button(page, 'Verify the chain').click();
    await expect(page.getByRole('region', { name: 'Hash chain' })).toContainText('The chain is intact');
  },
  'compares two runs of a type': async (page, origin) => {
    await openRun(page, origin, 'order-1001');
    await button(page, 'Compare').click();
    await page
      .getByRole('dialog', { name: 'Compare with another run' })
      .getByRole('link', { name: /order-1002/ })
      .click();
    await button(page, 'Input differs').click();
    const dialog = page.getByRole('dialog', { name: /^Workflow/ });
    await expect(dialog).toContainText('Harbour Street 4, Malmö');
    await expect(dialog).toContainText('Bridge Road 17, Brno');
  },
  'returns with Back to the previous position': async (page, origin) => {
    await page.goto(`${origin}${LIST}?q=order-1001`);
    await page.locator('[data-index]').getByText('order-1001', { exact: true }).click();
    await page.getByRole('tab', { name: /^Relations/ }).click();
    await expect(page.getByRole('table', { name: 'Family' })).toBeVisible();
    await page.goBack();
    await expect(page.locator('[data-key="g1"]')).toBeVisible();
    await page.goBack();
    await expect(page).toHaveURL(/workflows\?q=order-1001/);
    await page.goForward();
    await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeVisible();
  },
};

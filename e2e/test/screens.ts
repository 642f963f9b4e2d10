import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Locator, type Page, test as base } from '@playwright/test';

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;

/**
 * A test with the fixture `sharedPage`: a page that the tests in a worker share, without cookies, stored data
 * or intercepted requests. For a new page, the browser would start a process that compiles the dashboard's
 * scripts and axe again.
 */
export const test = base.extend<{ sharedPage: Page }, { shared: Page }>({
  shared: [
    async ({ browser }, use, { project: { use: configured } }) => {
      const { baseURL = '', contextOptions } = configured;
      const context = await browser.newContext({ ...contextOptions, baseURL, viewport: sizes.desktop });
      await use(await context.newPage());
      await context.close();
    },
    { scope: 'worker' },
  ],
  sharedPage: async ({ shared }, use) => {
    await use(shared);
    await shared.unrouteAll({ behavior: 'ignoreErrors' });
    // The dashboard stores its scroll positions on `pagehide`, with a listener that runs before this one.
    await shared.evaluate(() => addEventListener('pagehide', () => sessionStorage.clear()));
    // Ends this document's requests.
    await shared.goto('about:blank');
    await shared.context().setStorageState({ cookies: [], origins: [] });
  },
});

/**
 * Returns the violations that axe finds on the page.
 *
 * axe needs no second page for its report, because the page has no frames of other origins.
 */
export async function violations(page: Page): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const found = await axe.analyze();
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}

const looks = (['desktop', 'phone'] as const).flatMap((size) =>
  (['dark', 'light'] as const).map((colorScheme) => ({ size, colorScheme })),
);

/**
 * Fails if axe finds a violation on the page.
 * @param number the screen's number, which selects a size and a theme. Screens share components, so if the
 * screens are numbered, each component is tested at both sizes and in both themes. Without a number, the page
 * itself is tested at both sizes and in both themes.
 */
export async function expectAccessible(page: Page, number?: number): Promise<void> {
  const before = page.viewportSize();
  const chosen = number === undefined ? looks : [looks[number % looks.length]!];
  for (const { size, colorScheme } of chosen) {
    await page.setViewportSize(sizes[size]);
    // Turns animations off, because axe would compute the contrast of a fading element from its momentary
    // opacity.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme);
    expect(await violations(page), `${size}, ${colorScheme}, ${page.url()}`).toEqual([]);
  }
  await page.setViewportSize(before ?? sizes.desktop);
}

/**
 * Presses a key that moves the focus to a text field, and waits until the field has the focus. Otherwise, the page could
 * take the first characters that a test types for shortcuts.
 */
export async function focusField(page: Page, key: string): Promise<void> {
  await page.keyboard.press(key);
  await expect(page.locator('input:focus, textarea:focus')).toBeVisible();
}

/**
 * Presses a key (by default J, for down) until `row` has the focus. Waits after each press, because the focus
 * moves only when the page is rendered again.
 */
export async function moveTo(page: Page, row: Locator, key = 'j'): Promise<void> {
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-key'));
  for (let presses = 0; presses < 50; presses += 1) {
    if (await row.evaluateAll((rows) => rows.some((element) => element === document.activeElement))) return;
    const before = await focused();
    await page.keyboard.press(key);
    await expect.poll(focused).not.toBe(before);
  }
  await expect(row).toBeFocused();
}

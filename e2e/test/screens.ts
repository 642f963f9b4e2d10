import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Locator, type Page } from '@playwright/test';

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;

/**
 * The rules whose results depend on colours, and therefore on the theme. The other rules' results depend on
 * the elements, and therefore on the size.
 */
const colourRules = ['color-contrast', 'link-in-text-block'];

/**
 * Returns the violations that axe finds on the page, by default with all rules.
 *
 * axe needs no second page for its report, because the page has no frames of other origins.
 */
export async function violations(page: Page, rules?: string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const found = await (rules === undefined ? axe : axe.withRules(rules)).analyze();
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}

/**
 * Fails if axe finds a violation on the page in the dark or the light theme, on a desktop or a phone. All
 * rules run once for each size and once for each theme. In the other combinations, only colours can differ,
 * so only the rules about colours run.
 */
export async function expectAccessible(page: Page): Promise<void> {
  const before = page.viewportSize();
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['dark', 'light'] as const) {
      const all = size === 'desktop' ? colorScheme === 'dark' : colorScheme === 'light';
      // Without animations: axe would compute the contrast of a fading element from its momentary opacity.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme);
      const found = await violations(page, all ? undefined : colourRules);
      expect(found, `${size}, ${colorScheme}, ${page.url()}`).toEqual([]);
    }
  }
  await page.setViewportSize(before ?? sizes.desktop);
}

/**
 * Presses a key, J for down, until `row` has the focus. Waits after each press, because the focus moves only
 * when the page is rendered again.
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

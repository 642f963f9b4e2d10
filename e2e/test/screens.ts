import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Locator, type Page } from '@playwright/test';

const sizes = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

/** Fails if axe finds a violation on the page in the dark or the light theme, on a desktop or a phone. */
export async function expectAccessible(page: Page): Promise<void> {
  const before = page.viewportSize();
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['dark', 'light'] as const) {
      // axe computes the contrast of what fades in from its opacity at that moment.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expect(page.locator('html')).toHaveAttribute('data-theme', colorScheme);
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
      expect(found, `${size}, ${colorScheme}, ${page.url()}`).toEqual([]);
    }
  }
  await page.setViewportSize(before ?? sizes.desktop);
}

/** Presses J until `row` has the focus. Each press waits for the one before it: focus moves when the page is drawn again. */
export async function moveDownTo(page: Page, row: Locator): Promise<void> {
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-key'));
  for (let presses = 0; presses < 50; presses += 1) {
    const before = await focused();
    await page.keyboard.press('j');
    await expect.poll(focused).not.toBe(before);
    if (await row.evaluateAll((rows) => rows.some((element) => element === document.activeElement))) return;
  }
  await expect(row).toBeFocused();
}

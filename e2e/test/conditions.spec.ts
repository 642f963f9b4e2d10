import { expect, type Page, test } from '@playwright/test';
import { untilSamplesEnded, untilStatus } from './stack.ts';

/*
 * Tests the dashboard under the conditions in which people use it: a high zoom, their own colours, little
 * motion, and a bad network.
 */

test.use({ viewport: { width: 1440, height: 900 } });

const LIST = '/ns/default/workflows';
const ORDER = `${LIST}/order-1001`;

test.beforeAll(untilSamplesEnded);

const openOrder = async (page: Page, search = '') => {
  await page.goto(`${ORDER}${search}`);
  await expect(page.locator('[data-key="g1"]')).toContainText('Mira Lindqvist');
};

test.describe('in forced colours', () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    test(`the focus, bars, the selected row and the overview are visible, in the ${colorScheme} theme`, async ({
      page,
    }) => {
      await page.emulateMedia({ forcedColors: 'active', colorScheme });
      await openOrder(page, '?ev=1');
      const canvas = await page.evaluate(() => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.cssText =
          'forced-color-adjust:none;background:Canvas;color:CanvasText;border-color:Highlight';
        const {
          backgroundColor: background,
          color: text,
          borderTopColor: highlight,
        } = getComputedStyle(probe);
        probe.remove();
        return { background, text, highlight };
      });
      const css = (selector: string, property: string) =>
        page
          .locator(selector)
          .first()
          .evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property);
      expect(await css('body', 'color')).toBe(canvas.text);
      expect(await css('body', 'background-color')).toBe(canvas.background);
      expect(await css('[data-key="g9"] [class*="bar"]', 'background-color')).toBe(canvas.text);
      expect(await css('[data-key="g1"]', 'background-color')).not.toBe(
        await css('[data-key="g9"]', 'background-color'),
      );
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      const ring = await page.evaluate(
        () => getComputedStyle(document.activeElement ?? document.body).boxShadow,
      );
      expect(ring).toContain(canvas.highlight);
      // The overview's lines have the text colour.
      const drawn = () =>
        page.locator('canvas').evaluate((element: HTMLCanvasElement, color) => {
          const [r = 0] = color.match(/\d+/g)?.map(Number) ?? [];
          const { data } = element.getContext('2d')!.getImageData(0, 0, element.width, element.height);
          let found = 0;
          for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255 && data[at] === r) found += 1;
          return found;
        }, canvas.text);
      await expect.poll(drawn).toBeGreaterThan(50);
    });
  }
});

test('nothing moves for a person who prefers reduced motion', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of [`${LIST}/settlement-5001`, `${LIST}/settlement-5001?tab=pending`, LIST]) {
    await page.goto(path);
    await expect(page.locator('main :is([data-index], article)').first()).toBeVisible();
    const moving = await page.evaluate(() =>
      document
        .getAnimations()
        .filter(
          ({ playState, effect }) => playState === 'running' && effect?.getTiming().iterations === Infinity,
        )
        .map(({ effect }) =>
          effect instanceof KeyframeEffect ? effect.target?.outerHTML.slice(0, 100) : '',
        ),
    );
    expect(moving, path).toEqual([]);
  }
});

/** Windows of 1440×900 and of 1280×720 at 200 % zoom, and a phone in landscape. */
for (const [width, height] of [
  [720, 450],
  [640, 360],
  [844, 390],
] as const) {
  test(`a window of ${width}×${height} px has room for rows and for every dialog`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    const fits = async (what: string) =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth), what).toBeLessThanOrEqual(
        width,
      );
    for (const path of [
      LIST,
      ORDER,
      `${LIST}/loyalty-report-8001`,
      `${LIST}/checkout-2001`,
      '/ns/default/audit',
    ]) {
      await page.goto(path);
      const grid = page.getByRole('treegrid').or(page.getByRole('grid')).first();
      await expect(grid.locator('[data-index]').first()).toBeVisible();
      // If the window is short, the rows are visible only after scrolling.
      const rows = async () => {
        await page.locator('main').evaluate((main) => main.scrollTo(0, main.scrollHeight));
        return await grid.locator('[data-index]').evaluateAll(
          (all, bottom) =>
            all.filter((row) => {
              const box = row.getBoundingClientRect();
              const seen = document.elementFromPoint(box.left + 60, box.top + box.height / 2);
              return box.bottom <= bottom && seen !== null && row.contains(seen);
            }).length,
          height,
        );
      };
      await expect.poll(rows, { message: path }).toBeGreaterThanOrEqual(2);
      await fits(path);
    }
    await openOrder(page);
    for (const [key, name, last] of [
      ['x', 'Export history', 'Export'],
      ['d', 'Compare with another run', 'Close'],
      ['?', 'Keyboard shortcuts', 'Close'],
    ] as const) {
      await page.keyboard.press(key);
      const dialog = page.getByRole('dialog', { name });
      await expect(dialog).toBeVisible();
      await dialog.getByRole('button', { name: last, exact: true }).click({ trial: true });
      await fits(name);
      await page.keyboard.press('Escape');
      await expect(dialog).toBeHidden();
    }
  });
}

test('a reload shows the same page', async ({ page }) => {
  for (const id of ['order-1002', 'order-1003', 'order-1004-plaintext', 'order-1005-destroyed-key'])
    await untilStatus(id, 'Completed');
  const query = encodeURIComponent('WorkflowType = "order" AND ExecutionStatus = "Completed"');
  for (const path of [
    `${LIST}?q=${query}`,
    `${ORDER}?io=true`,
    `${ORDER}?ev=9&pane=attributes`,
    `${ORDER}?view=all&ev=12`,
    `${ORDER}?tab=relations`,
    `${ORDER}?from=2000&to=9000`,
    `${LIST}/checkout-2001?ev=1&pane=raw`,
  ]) {
    await page.goto(path);
    await expect(page.locator('main').getByRole('heading').first()).toBeVisible();
    const look = async () => {
      await page.waitForLoadState('networkidle');
      return (
        (await page.locator('main').ariaSnapshot())
          .replaceAll(/\d+ (of \d+ )?payloads?.*/g, '')
          // Some samples are still running, so the numbers of runs in the views and the usual duration
          // change.
          .replaceAll(/(link "(?:Failed today|Task failures))[^"]*/g, '$1')
          .replaceAll(/median .* of the last .*/g, '')
      );
    };
    // Parts of the page load one after the other. The page is complete when it has not changed for a second.
    let before = '';
    const isComplete = async () => {
      const last = before;
      before = await look();
      return before === last && !before.includes('Being decrypted');
    };
    await expect.poll(isComplete, { message: path, intervals: [1_000] }).toBe(true);
    const address = page.url();
    await page.reload();
    await expect.poll(look, { message: path }).toBe(before);
    expect(page.url()).toBe(address);
  }
});

test('the page explains that a part could not be loaded, and shows that part after a reload', async ({
  page,
}) => {
  await page.route(/relations-tab/, (route) => route.abort());
  await openOrder(page);
  await page.getByRole('tab', { name: /^Relations/ }).click();
  await expect(page.getByRole('heading', { name: 'A part of this page could not be loaded' })).toBeVisible();
  await page.unroute(/relations-tab/);
  await page.getByRole('button', { name: 'Reload the page' }).click();
  await expect(page.getByRole('table', { name: 'Family' })).toBeVisible();
});

test('with a slow server, the page immediately shows the data that it has, and is never empty', async ({
  page,
}) => {
  let answer = Promise.withResolvers<void>();
  await page.route(/\/api\/namespaces\//, async (route) => {
    await answer.promise;
    await route.continue().catch(() => undefined);
  });
  await page.goto(ORDER);
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeVisible();
  answer.resolve();
  await expect(page.locator('[data-key="g1"]')).toContainText('Mira Lindqvist');
  answer = Promise.withResolvers();
  await page.goto(`${LIST}?q=order-1001`);
  await expect(page.getByRole('treegrid')).toHaveAttribute('aria-busy', 'true');
  answer.resolve();
  await expect(page.getByRole('link', { name: 'order-1001', exact: true })).toBeVisible();
});

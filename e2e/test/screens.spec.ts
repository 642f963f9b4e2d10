import { expect, type Locator, type Page } from '@playwright/test';
import { screens } from './all-screens.ts';
import { failingScreens } from './failing-screens.ts';
import { expectAccessible, test } from './screens.ts';
import { latestRun, untilSamplesEnded } from './stack.ts';

/*
 * Tests each screen of the dashboard that exists without sign-in. signed-in-screens.spec.ts tests the other
 * screens.
 */

test.use({ viewport: { width: 1440, height: 900 } });
// The tests only read, so they can run in parallel.
test.describe.configure({ mode: 'parallel' });

const LIST = '/ns/default/workflows';
const KEYS = '/ns/default/keys';
const AUDIT = '/ns/default/audit';
const shown = (page: Page, text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();
let order: string;
let checkout: string;

/** Returns the position and size of an element on the page. */
async function boxOf(element: Locator) {
  await expect(element).toBeVisible();
  const box = await element.boundingBox();
  if (!box) throw new Error('The element has no box.');
  return box;
}

const runOf = async (id: string) => `${LIST}/${id}/${(await latestRun(id)).runId}`;

test.beforeAll(async () => {
  await untilSamplesEnded();
  order = await runOf('order-1001');
  checkout = await runOf('checkout-2001');
});

for (const [number, [name, open]] of Object.entries({ ...screens, ...failingScreens }).entries()) {
  test(`axe finds no violation on ${name}`, async ({ sharedPage: page }) => {
    await open(page);
    await expectAccessible(page, process.env['SLOW'] ? undefined : number);
  });
}

test('nothing that is already visible moves while the list and a run load', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await page.addInitScript(() => {
    interface Source {
      readonly node: Node | null;
    }
    const shifts: { value: number; moved: string[] }[] = [];
    Object.assign(window, { shifts });
    const nameOf = ({ node }: Source) =>
      node instanceof Element ? node.outerHTML.slice(0, 100) : (node?.textContent ?? '');
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const value: number = Reflect.get(entry, 'value');
        const sources: readonly Source[] = Reflect.get(entry, 'sources');
        if (!Reflect.get(entry, 'hadRecentInput')) shifts.push({ value, moved: sources.map(nameOf) });
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  // The counts of runs arrive last, add a button to the list, and change text.
  await page.route(
    (url) => url.pathname.endsWith('/workflows:count'),
    async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await route.continue();
    },
  );
  // If a link names an event, the inspector opens when the event has loaded, and narrows the table, which counts as a
  // layout shift.
  for (const [path, limit] of [
    [LIST, 0.01],
    [order, 0.01],
    [`${checkout}?ev=1`, 0.06],
  ] as const) {
    await page.goto(path);
    await expect(page.getByRole('treegrid').locator('[data-index]').first()).toBeVisible();
    if (path === LIST) await expect(page.getByRole('button', { name: /^Completed \d/ })).toBeVisible();
    await page.waitForTimeout(1_500);
    const shifts: { value: number; moved: string[] }[] = await page.evaluate(() =>
      Reflect.get(window, 'shifts'),
    );
    const sum = shifts.reduce((total, { value }) => total + value, 0);
    // Chromium rates a page's layout shift as good below 0.1.
    expect(sum, `${path}: ${JSON.stringify(shifts)}`).toBeLessThan(limit);
  }
});

test('the list and a run print without controls and with every row', async ({ page }) => {
  await page.goto(`${order}?ev=1`);
  await shown(page, 'Please wrap it as a present');
  const total = Number(await page.getByRole('treegrid').getAttribute('aria-rowcount')) - 1;
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  await expect(page.getByRole('treegrid').locator('[data-index]')).toHaveCount(total);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  for (const control of [
    page.getByRole('button', { name: 'Settings' }),
    page.getByRole('tablist').first(),
    page.locator('footer'),
  ]) {
    await expect(control).toBeHidden();
  }
  await expect(page.getByRole('complementary', { name: 'Inspector' })).toBeVisible();
  const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
  expect(pdf.match(/\/Type\s*\/Page\b/g)?.length).toBeGreaterThan(1);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('every touch target is at least 44 px high and wide, and nothing is wider than the page', async ({
    page,
  }) => {
    for (const path of [
      LIST,
      `${LIST}?q=ExecutionStatus+%3D+"Failed"`,
      order,
      `${order}?ev=1`,
      `${order}?tab=relations`,
      `${checkout}?io=true`,
      KEYS,
      AUDIT,
    ]) {
      await page.goto(path);
      // On some pages, the run's input and result cover the history's rows.
      await expect(page.locator('main :is([data-index], table, [role="group"])').first()).toBeVisible();
      if (path.includes('io=true')) {
        await page
          .getByRole('button', { name: /^Stack trace/ })
          .first()
          .click();
        await expect(page.getByRole('button', { name: /of libraries$/ }).first()).toBeVisible();
      }
      const small = await page.evaluate(() => {
        const selector = 'a, button, input, [role="tab"], [role="row"][tabindex], [role="separator"]';
        return [...document.querySelectorAll<HTMLElement>(selector)]
          .filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
          .filter((element) => {
            const { width, height, right } = element.getBoundingClientRect();
            const inText =
              element.matches('p a, dd a, li a') || element.closest('[role="row"], td, th') !== null;
            return width > 1 && right > 0 && !inText && (height < 43.5 || width < 43.5);
          })
          .map((element) => element.outerHTML.slice(0, 160));
      });
      expect(small, path).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    }
  });

  test('the Find field contains its buttons, and the header of the audit page fits on one line', async ({
    page,
  }) => {
    await page.goto(order);
    await page.getByRole('button', { name: /^Find/ }).click();
    const field = await boxOf(page.getByRole('textbox', { name: /^Find in/ }).locator('..'));
    const scope = await boxOf(page.getByRole('group', { name: 'Search in' }));
    expect(scope.x + scope.width).toBeLessThan(field.x + field.width);
    expect(scope.y).toBeGreaterThanOrEqual(field.y);
    expect(scope.y + scope.height).toBeLessThanOrEqual(field.y + field.height);

    await page.goto(AUDIT);
    const heading = await boxOf(page.getByRole('heading', { level: 1, name: 'Audit' }));
    const last = await boxOf(page.getByRole('button', { name: 'Export' }));
    expect(last.y).toBeLessThan(heading.y + heading.height);
    expect(last.x + last.width).toBeLessThanOrEqual(390);
  });

  test('the page can be enlarged with two fingers', async ({ page }) => {
    await page.goto(LIST);
    const content = await page.locator('meta[name="viewport"]').getAttribute('content');
    expect(content).not.toMatch(/user-scalable|maximum-scale/);
  });
});

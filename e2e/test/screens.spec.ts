import { expect, type Page, test } from '@playwright/test';
import { expectAccessible } from './screens.ts';
import { latestRun } from './stack.ts';

/* Each screen of the dashboard without sign-in, over the running stack. Screens with sign-in are in sign-in.spec.ts. */

test.use({ viewport: { width: 1440, height: 900 } });

const LIST = '/ns/default/workflows';
const KEYS = '/ns/default/keys';
const AUDIT = '/ns/default/audit';
const shown = (page: Page, text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();
let order: string;
let checkout: string;

const runOf = async (id: string) => `${LIST}/${id}/${(await latestRun(id)).runId}`;

test.beforeAll(async () => {
  await expect
    .poll(async () => (await latestRun('order-1001')).status, { timeout: 60_000 })
    .toBe('Completed');
  await expect
    .poll(async () => (await latestRun('checkout-2001')).status, { timeout: 60_000 })
    .toBe('Failed');
  order = await runOf('order-1001');
  checkout = await runOf('checkout-2001');
});

/** Every screen, by its name: its address, and what opens it. */
const screens: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  'the list': async (page) => {
    await page.goto(LIST);
    await shown(page, 'order-1001');
  },
  'the palette': async (page) => {
    await page.keyboard.press('Control+k');
    await expect(page.getByRole('option').first()).toBeVisible();
  },
  'the shortcuts': async (page) => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  },
  'the settings': async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
  },
  'the columns': async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Columns' }).click();
    await expect(page.getByRole('dialog', { name: 'Columns' })).toBeVisible();
  },
  'a menu': async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Export' }).click();
    await expect(page.getByRole('menu')).toBeVisible();
  },
  'a tooltip': async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).focus();
    await page.keyboard.press('Shift+Tab');
    await expect(page.locator('[data-tooltip]')).toBeVisible();
  },
  'a list without rows': async (page) => {
    await page.goto(`${LIST}?q=${encodeURIComponent('WorkflowId = "no-such-workflow"')}`);
    await shown(page, /No workflows match/);
  },
  'children below their parent': async (page) => {
    await page.goto(LIST);
    await shown(page, 'order-1001');
    await page
      .getByRole('row', { name: /order-1001 / })
      .first()
      .focus();
    await page.keyboard.press('ArrowRight');
    await shown(page, 'order-1001-delivery');
  },
  'an invalid query': async (page) => {
    await page.goto(`${LIST}?q=${encodeURIComponent('ExecutionStatus = = 1')}`);
    await expect(page.getByRole('alert')).toBeVisible();
  },
  'an unknown namespace': async (page) => {
    await page.goto('/ns/nowhere/workflows');
    await shown(page, /There is no namespace|may not read/);
  },
  'an unknown page': async (page) => {
    await page.goto('/nowhere');
    await shown(page, 'There is no page at this address');
  },
  'an unknown run': async (page) => {
    await page.goto(`${LIST}/order-1001/00000000-0000-7000-8000-000000000000`);
    await expect(page.getByRole('heading', { name: 'This run does not exist' })).toBeVisible();
  },
  'an unknown event': async (page) => {
    await page.goto(`${order}?ev=9999`);
    await shown(page, 'This run has no event 9,999');
  },
  'the keys': async (page) => {
    await page.goto(KEYS);
    await shown(page, 'payloads under it are lost for good');
  },
  'the tested keys': async (page) => {
    await page.goto(KEYS);
    await shown(page, 'payloads under it are lost for good');
    await page.keyboard.press('t');
    await shown(page, 'Passed');
    await page.getByRole('button', { name: 'As table' }).click();
  },
  'the audit': async (page) => {
    await page.goto(AUDIT);
    await shown(page, 'Read audit');
    await page.keyboard.press('v');
    await shown(page, /The chain is intact/);
  },
  'an entry of the audit': async (page) => {
    await page.goto(AUDIT);
    await page
      .getByRole('row', { name: /Read audit/ })
      .first()
      .click();
    await expect(page.getByRole('complementary', { name: 'Entry' })).toBeVisible();
  },
  'a run with input and result': async (page) => {
    await page.goto(`${order}?io=true`);
    await shown(page, 'Please wrap it as a present');
  },
  'the visible time of a run': async (page) => {
    await page.goto(order);
    await shown(page, 'Please wrap it as a present');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('visible time');
    await page.getByRole('option', { name: 'Choose the visible time' }).click();
    await expect(page.getByRole('dialog', { name: /^Visible time/ })).toBeVisible();
  },
  'the export of a run': async (page) => {
    await page.goto(order);
    await shown(page, 'Please wrap it as a present');
    await page.keyboard.press('x');
    await expect(page.getByRole('dialog', { name: 'Export history' })).toBeVisible();
  },
  'the failure of a run': async (page) => {
    await page.goto(checkout);
    await page.getByRole('row', { name: /Workflow Failed/ }).click();
    await page.getByRole('complementary').getByRole('tab', { name: 'Failure' }).click();
    await shown(page, 'Card of Tomás Ferreira was not authorized');
  },
  ...Object.fromEntries(
    ['attributes', 'raw', 'crypto'].map((pane) => [
      `the pane ${pane} of an event`,
      async (page: Page) => {
        await page.goto(`${order}?ev=1&pane=${pane}`);
        await expect(page.getByRole('complementary').getByRole('tabpanel')).not.toBeEmpty();
      },
    ]),
  ),
  ...Object.fromEntries(
    ['pending', 'relations', 'memo', 'metadata'].map((tab) => [
      `the tab ${tab} of a run`,
      async (page: Page) => {
        await page.goto(`${order}?tab=${tab}`);
        await expect(page.getByRole('tabpanel')).not.toBeEmpty();
      },
    ]),
  ),
};

/** Screens over the list, which do not load it themselves. */
const overList = new Set([
  'the palette',
  'the shortcuts',
  'the settings',
  'the columns',
  'a menu',
  'a tooltip',
]);

for (const [name, open] of Object.entries(screens)) {
  test(`${name} is accessible in both themes, on a desktop and on a phone`, async ({ page }) => {
    if (overList.has(name)) {
      await screens['the list']?.(page);
    }
    await open(page);
    await expectAccessible(page);
  });
}

test('loading the list and a run moves nothing that is shown already', async ({ page }) => {
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
  // The inspector of a link opens when its event is loaded, and narrows the table.
  for (const [path, limit] of [
    [LIST, 0.01],
    [order, 0.01],
    [`${checkout}?ev=1`, 0.06],
  ] as const) {
    await page.goto(path);
    await expect(page.getByRole('treegrid').locator('[data-index]').first()).toBeVisible();
    await page.waitForTimeout(1_500);
    const shifts: { value: number; moved: string[] }[] = await page.evaluate(() =>
      Reflect.get(window, 'shifts'),
    );
    const sum = shifts.reduce((total, { value }) => total + value, 0);
    // Chromium calls a page good below 0.1.
    expect(sum, `${path}: ${JSON.stringify(shifts)}`).toBeLessThan(limit);
  }
});

test('prints the list and a run without controls, with every row', async ({ page }) => {
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

  test('everything that a finger touches is 44 px high and wide, and nothing is wider than the page', async ({
    page,
  }) => {
    for (const path of [
      LIST,
      order,
      `${order}?ev=1`,
      `${order}?tab=relations`,
      `${checkout}?io=true`,
      KEYS,
      AUDIT,
    ]) {
      await page.goto(path);
      // Input and result may cover the history.
      await expect(page.locator('main :is([data-index], table, [role="group"])').first()).toBeVisible();
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

  test('the page can be enlarged with two fingers', async ({ page }) => {
    await page.goto(LIST);
    const content = await page.locator('meta[name="viewport"]').getAttribute('content');
    expect(content).not.toMatch(/user-scalable|maximum-scale/);
  });
});

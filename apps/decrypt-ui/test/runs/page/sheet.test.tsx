import { beforeEach, describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { DEFAULT_SHEET, setSheetShare } from '../../../src/ui/preferences/sheet-height.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const failed = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';
const long = '/ns/NS/workflows/long-1000/01997c2e-0000-7000-8000-0000000000b1';
const sheet = () => document.querySelector('[data-inspector]')?.parentElement?.parentElement?.parentElement;
const selected = () => document.querySelector('[role="row"][aria-selected="true"]');

/** Whether the whole selected row is in the window and above the sheet. */
function isSelectedInView(): boolean {
  const [own, over] = [selected(), sheet()].map((element) => element?.getBoundingClientRect());
  if (!own || !over) return false;
  const main = document.querySelector('#main')!.getBoundingClientRect();
  return own.top >= main.top && own.bottom <= over.top + 1 && over.bottom <= main.bottom + 1;
}

/** Whether an element takes almost all of the space between the top bar and the window's end. */
function coversPage(element: Element): boolean {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  return left === 0 && right === innerWidth && top < 100 && Math.abs(bottom - innerHeight) <= 1;
}

test('the sheet covers the page of a short window, until the user reduces it', async () => {
  await page.viewport(640, 360);
  await renderApp(`${failed}?ev=11&pane=failure`);
  const failure = await until(() => document.querySelector('aside [role="tabpanel"] section'), 'the failure');
  await expect.poll(() => failure.getBoundingClientRect().top).toBeLessThan(220);
  await page.getByRole('button', { name: 'Reduce the inspector' }).click();
  await until(isSelectedInView, 'the row');
});

const isSearchClosed = () => !document.querySelector('[aria-label="Matches"], [role="search"]');

describe('the list of matches covers a short window', () => {
  const list = page.getByRole('region', { name: 'Matches' });

  beforeEach(async () => {
    await page.viewport(640, 360);
    setSheetShare(1);
    await renderApp(order);
    await until(() => row('g5'), 'the rows');
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('maren{Enter}');
    await until(() => list.query() && coversPage(list.element()), 'the list alone');
  });

  test('until the user reduces or closes it', async () => {
    await page.getByRole('button', { name: 'Reduce the matches' }).click();
    await expect.element(page.getByRole('button', { name: 'Enlarge the matches' })).toBeVisible();
    await page.getByRole('button', { name: 'Close matches' }).click();
    await until(isSearchClosed, 'the rows alone');
  });

  test('so it shows the search text and takes the focus from the search field, and Escape closes it', async () => {
    expect(list.element().textContent).toMatch(/^Matches\d+ in \d+ events? · maren/);
    const first = () => list.query()?.querySelector('li button');
    await until(() => first() && document.activeElement === first(), 'the focus on the first match');
    await userEvent.keyboard('{Enter}');
    await until(() => document.querySelector('[data-inspector]'), 'the event');
    await userEvent.keyboard('{Escape}');
    await until(() => first() && document.activeElement === first(), 'the focus on the same match');
    await userEvent.keyboard('{Escape}');
    await until(isSearchClosed, 'the rows alone');
  });
});

describe('the selected row is in view above the sheet', () => {
  beforeEach(() => setSheetShare(DEFAULT_SHEET));
  // A phone, a phone in landscape, windows of 1280, 1440 and 1920 pixels at a zoom of 200 %, and a tablet.
  const windows = [
    [390, 844],
    [844, 390],
    [640, 360],
    [720, 450],
    [960, 540],
    [1024, 768],
  ] as const;

  test.each(windows)('if a link selects it, at %i × %i pixels', async (width, height) => {
    await page.viewport(width, height);
    const app = await renderApp(`${failed}?ev=11&pane=failure`);
    await until(isSelectedInView, 'the row');
    app.history.push(`${long}?ev=900`.replace('NS', app.namespace));
    await until(
      () => selected()?.getAttribute('data-key') === 'g900' && isSelectedInView(),
      'the row of a long run',
    );
  });

  test.each(windows)('if it is clicked at the bottom, at %i × %i pixels', async (width, height) => {
    await page.viewport(width, height);
    await renderApp(long);
    await until(() => row('g5'), 'the rows');
    const scroller = document.querySelector('[role="treegrid"]')!;
    const end = scroller.getBoundingClientRect().bottom;
    const last = [...document.querySelectorAll<HTMLElement>('[role="row"][data-key]')].findLast(
      (each) => each.getBoundingClientRect().bottom <= end,
    )!;
    last.click();
    await until(() => selected() === row(last.dataset['key']!) && isSelectedInView(), 'the row');
  });

  test('after the sheet grows', async () => {
    await page.viewport(390, 844);
    await renderApp(`${order}?ev=39`);
    await until(isSelectedInView, 'the row');
    const handle = page.getByRole('separator', { name: 'Height of the inspector' });
    for (const height of ['56', '66', '76']) {
      handle.element().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }));
      await expect.element(handle).toHaveAttribute('aria-valuenow', height);
    }
    await until(isSelectedInView, 'the row');
    for (let step = 0; step < 4; step += 1)
      handle.element().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
  });
});

const open = () => document.querySelector('[data-inspector]');
const select = async (key: string) => {
  (await until(() => row(key), 'the row')).click();
  await until(() => row(key)?.getAttribute('aria-selected') === 'true', 'the selection');
};

async function onPhone(path = order) {
  await page.viewport(390, 844);
  const app = await renderApp('/ns/NS/workflows');
  app.history.push(path.replace('NS', app.namespace));
  await until(() => row('g5'), 'the rows');
  return app;
}

describe('Back', () => {
  test('closes the sheet on a phone, even after several rows were chosen, and then leaves the run', async () => {
    const app = await onPhone();
    await select('g5');
    await until(() => app.history.location.search.includes('ev=5'), 'the address');
    await select('g11');
    await until(() => app.history.location.search.includes('ev=11'), 'the address');
    app.history.back();
    await until(() => !open(), 'the closed sheet');
    expect(app.history.location.pathname).toContain(RUN);
    app.history.back();
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
  });

  test('leaves the run after the sheet’s button has closed the sheet, and keeps the view that the user chose', async () => {
    const app = await onPhone();
    await select('g5');
    await until(() => app.history.location.search.includes('ev=5'), 'the address');
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await until(() => app.history.location.search.includes('view=all'), 'the view');
    await page.getByRole('complementary').getByRole('button', { name: 'Close' }).click();
    await until(() => !open() && app.history.location.search === '?view=all', 'the closed sheet');
    app.history.back();
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
  });

  test('does not restore a filter that the user removed while the sheet was open', async () => {
    const app = await onPhone(`${order}?type=ValidateOrder&path=true`);
    await select('g5');
    await until(() => app.history.location.search.includes('ev=5'), 'the address');
    await page.getByRole('button', { name: /Show all events/ }).click();
    await until(() => !app.history.location.search.includes('type='), 'the address');
    await page.getByRole('complementary').getByRole('button', { name: 'Close' }).click();
    await until(() => !open() && app.history.location.search === '?path=true', 'the closed sheet');
  });

  test('leaves a run that was opened with the sheet', async () => {
    const app = await onPhone(`${order}?ev=5`);
    await until(open, 'the sheet');
    await userEvent.keyboard('{Escape}');
    app.history.back();
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
  });

  test('leaves the run in a wide window, even after a row was selected', async () => {
    const app = await renderApp('/ns/NS/workflows');
    app.history.push(order.replace('NS', app.namespace));
    await select('g5');
    await until(() => app.history.location.search.includes('ev=5'), 'the address');
    app.history.back();
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
  });
});

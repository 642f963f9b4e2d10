import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { setPreferences } from '../../src/state/preferences.ts';
import { press, renderApp, until } from './render-app.tsx';

const grid = () => document.querySelector('[role="grid"]')!;
const rows = () => [...document.querySelectorAll<HTMLElement>('[role="grid"] [data-index]')];
const ids = () => rows().map((row) => row.querySelector('a')?.textContent);

const height = () => rows()[0]!.getBoundingClientRect().height;

describe('the workflow list', () => {
  test('shows runs with status, type, size and the key versions of their memo, and the number of runs', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    const reason = rows().find((row) => row.textContent?.includes('every-reason'))!;
    expect(reason.textContent).toContain('Completed');
    expect(reason.textContent).toContain('KycVerification');
    expect(reason.textContent).toContain('v3 disabled');
    await until(() => document.body.textContent?.includes('345'), 'the total');
    expect(grid().getAttribute('aria-rowcount')).toBe('346');
  });

  test('loads more runs while the reader scrolls, and keeps few rows in the document', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await until(() => {
      grid().scrollTop = grid().scrollHeight;
      return document.body.textContent?.includes('345 of 345 loaded');
    }, 'all rows');
    expect(rows().length).toBeLessThan(70);
  });

  test('counts new runs and moves no row until the reader asks for them', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => ids().includes('order-88213'), 'the rows');
    const before = ids();
    await app.steer('start', { count: 2 });
    const pill = page.getByRole('button', { name: '2 new' });
    await expect.element(pill, { timeout: 8000 }).toBeVisible();
    expect(ids()).toEqual(before);
    await pill.click();
    await until(() => ids()[0]?.startsWith('new-'), 'the new rows');
  });

  test('filters by status, and puts the filter into the address', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await page.getByRole('button', { name: /^Failed/ }).click();
    await until(
      () => rows().length > 0 && rows().every((row) => row.textContent?.includes('Failed')),
      'failed runs alone',
    );
    expect(app.history.location.search).toContain('status=Failed');
  });

  test('finds runs by the beginning of a workflow id, and offers to clear a filter without matches', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('/');
    await userEvent.keyboard('refund{Enter}');
    await until(() => rows().length > 0 && ids().every((id) => id?.startsWith('refund')), 'refunds');
    await page.getByRole('button', { name: 'Clear filter' }).click();
    press('/');
    await userEvent.keyboard('nothing-like-it{Enter}');
    await until(
      () => document.body.textContent?.includes('No workflows match nothing-like-it'),
      'the reason',
    );
    await page.getByRole('button', { name: 'Clear filter' }).last().click();
    await until(() => rows().length > 10, 'all rows again');
  });

  test('shows Temporal’s message about an invalid query below the field', async () => {
    await renderApp('/ns/NS/workflows?q=ExecutionStatus%20%3D%20Faild');
    await until(
      () => document.querySelector('[role="alert"]')?.textContent?.includes('Did you mean Failed?'),
      'the answer',
    );
  });

  test('moves with J and K, and opens a run with Enter', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('j');
    await until(() => document.activeElement === rows()[0], 'the focus on the first row');
    press('j');
    await until(() => document.activeElement === rows()[1], 'the focus on the second row');
    press('j');
    await until(() => document.activeElement === rows()[2], 'the focus on the third row');
    press('k');
    await until(() => document.activeElement === rows()[1], 'the focus on the second row again');
    const id = document.activeElement!.querySelector('a')!.textContent;
    press('Enter');
    await until(() => app.history.location.pathname.includes(`/workflows/${id}/`), 'the run');
    await until(() => document.activeElement?.tagName === 'H1', 'the focus on the heading of the run');
    expect(document.activeElement!.textContent).toBe(id);
    app.history.back();
    await until(() => document.activeElement?.querySelector('a')?.textContent === id, 'the focus on its row');
  });

  test('says that a namespace has no workflows', async () => {
    await renderApp('/ns/empty/workflows', { namespace: 'empty' });
    await expect.element(page.getByText('No workflows in this namespace yet')).toBeVisible();
  });
});

describe('the appearance', () => {
  test('changes the theme immediately and for the next visit', async () => {
    await renderApp('/ns/NS/workflows');
    expect(document.documentElement.dataset['theme']).toBe('dark');
    await page.getByRole('button', { name: 'Theme' }).click();
    await page.getByRole('menuitemradio', { name: 'Light' }).click();
    await until(() => document.documentElement.dataset['theme'] === 'light', 'the light theme');
    expect(getComputedStyle(document.body).backgroundColor).toBe('rgb(255, 255, 255)');
    expect(localStorage.getItem('decrypt-ui.preferences')).toContain('"theme":"light"');
  });

  test('draws rows of 28 px by default, and of 24 or 36 px on request', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    expect(height()).toBe(28);
    setPreferences({ density: 'compact' });
    await until(() => height() === 24, 'compact rows');
    setPreferences({ density: 'comfortable' });
    await until(() => height() === 36, 'comfortable rows');
  });

  test('uses the fonts Inter and JetBrains Mono', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await document.fonts.ready;
    expect(document.fonts.check('13px "Inter Variable"')).toBe(true);
    expect(document.fonts.check('12.5px "JetBrains Mono Variable"')).toBe(true);
    expect(getComputedStyle(document.body).fontSize).toBe('13px');
  });

  test('puts the text of a row on two lines on a phone', async () => {
    await page.viewport(390, 844);
    try {
      await renderApp('/ns/NS/workflows');
      await until(() => rows().length > 5, 'the rows');
      expect(rows()[0]!.getBoundingClientRect().height).toBe(62);
      expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(390);
    } finally {
      await page.viewport(1440, 900);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { press, renderApp, until } from '../../support/render-app.tsx';

const FIRST = '01997c2e-0000-7000-8000-00000000c0a1';
const SECOND = '01997c2e-0000-7000-8000-00000000c0a2';
const refunds = `/ns/NS/workflows?q=${encodeURIComponent('WorkflowId = "refund-7"')}`;
const rows = () => [...document.querySelectorAll<HTMLElement>('[role="treegrid"] [data-index]')];
const id = (row: number) => rows()[row]!.querySelector('a')?.textContent ?? '';
const bar = () => document.querySelector('section[aria-label="Runs to compare"]');
const picked = () => [...(bar()?.querySelectorAll('li') ?? [])].map((run) => run.textContent);

async function openList(address = refunds, least = 2) {
  const app = await renderApp(address);
  await until(() => rows().length >= least, 'the rows');
  return app;
}

const options = () =>
  [...document.querySelectorAll('[role="dialog"] [role="option"]')].map((option) => option.textContent);

/** Moves the focus to a row. */
async function go(row: number) {
  rows()[row]!.focus();
  await until(() => rows()[row]!.getAttribute('aria-selected') === 'true', 'the active row');
}

async function pick(row: number) {
  await go(row);
  press('x');
}

describe('picking runs in the list', () => {
  test('picks the active row with X, and compares two picked runs with D', async () => {
    const app = await openList();
    const before = rows().map((row) => row.getBoundingClientRect().top);
    await pick(0);
    await until(() => picked().length === 1, 'the first run');
    expect(rows()[0]!.textContent).toContain('picked to compare');
    expect(bar()!.textContent).toContain('Pick another run');
    // D does nothing while only one run is picked.
    press('d');
    await pick(1);
    await until(() => picked().length === 2, 'the second run');
    expect(rows().map((row) => row.getBoundingClientRect().top)).toEqual(before);
    press('d');
    await expect.element(page.getByRole('heading', { name: 'Compare runs' })).toBeVisible();
    const { pathname, search } = app.history.location;
    const ids = [pathname.split('/').at(-2), new URLSearchParams(search).get('run')];
    expect(new Set(ids)).toEqual(new Set([FIRST, SECOND]));
    expect(new URLSearchParams(search).has('with')).toBe(false);
  });

  test('links to the comparison, and names the second run’s workflow id if it differs', async () => {
    await openList('/ns/NS/workflows', 5);
    await pick(1);
    await pick(3);
    await until(() => picked().length === 2, 'two runs');
    const link =
      page.getByRole('link', { name: 'Compare', exact: true }).element().getAttribute('href') ?? '';
    const { pathname, searchParams } = new URL(link, location.href);
    const ids = [1, 3].map(id);
    expect(pathname).toContain(`/workflows/${ids[0]}/`);
    expect(pathname).toMatch(/\/compare$/);
    expect(searchParams.get('with')).toBe(ids[1]);
  });

  test('deselects a run with X and all runs with Escape, and deselects the earlier of two runs when a third is picked', async () => {
    await openList('/ns/NS/workflows', 5);
    for (const row of [0, 1, 2]) await pick(row);
    await until(() => picked()[1]?.includes(id(2)), 'the third run');
    expect(picked()).toHaveLength(2);
    expect(picked()[0]).toContain(id(1));
    await pick(1);
    await until(() => picked().length === 1, 'one run');
    await userEvent.click(page.getByRole('button', { name: `Drop ${id(2)} from the comparison` }));
    await until(() => !bar(), 'no bar');
    await pick(0);
    await until(bar, 'the bar');
    press('Escape');
    await until(() => !bar(), 'no bar');
  });

  test('keeps the picked runs when the filter changes', async () => {
    await openList();
    await pick(0);
    await until(() => picked().length === 1, 'the run');
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await until(() => rows().length > 5, 'all rows');
    expect(picked()[0]).toContain('refund-7');
  });

  test('is in the palette and in the shortcuts dialog', async () => {
    await openList();
    await go(0);
    press('k', document.body, { ctrlKey: true });
    await until(() => options().length > 0 && document.activeElement?.tagName === 'INPUT', 'the palette');
    await userEvent.keyboard('pick the');
    await until(() => options().length === 1, 'one command');
    expect(options()).toEqual(['Pick the run for a comparisonX']);
    await userEvent.keyboard('{Enter}');
    await until(() => picked().length === 1, 'the run');
    press('?');
    await until(
      () => document.querySelector('[role="dialog"]')?.textContent?.includes('Compare the picked runs'),
      'the shortcut',
    );
  });

  test('picks a run by a click on its checkbox, without opening the run', async () => {
    const app = await openList();
    const box = page.getByRole('checkbox', { name: 'Pick refund-7 to compare' }).first();
    await userEvent.hover(rows()[0]!);
    await expect.element(box).toBeVisible();
    await userEvent.click(box);
    await until(() => picked().length === 1, 'the run');
    await expect.element(box).toBeChecked();
    expect(app.history.location.pathname).toMatch(/workflows$/);
    await userEvent.click(box);
    await until(() => !bar(), 'no bar');
  });

  test('picks rows by clicks after a click on the toolbar’s button, on a desktop and on a phone', async () => {
    const app = await openList();
    for (const [width, height] of [
      [1440, 900],
      [390, 844],
    ] as const) {
      await page.viewport(width, height);
      const button = page.getByRole('button', { name: 'Pick runs to compare' });
      await expect.element(button).toHaveAttribute('aria-pressed', 'false');
      await userEvent.click(button);
      await until(() => bar()?.textContent?.includes('Pick two runs to compare'), 'the bar');
      for (const count of [1, 2]) {
        // Clicks the workflow id. The id is a link except while the user is picking runs.
        await userEvent.click(
          page
            .getByRole('row')
            .getByText('refund-7', { exact: true })
            .nth(count - 1),
        );
        await until(() => picked().length === count, `run ${count}`);
      }
      expect(app.history.location.pathname).toMatch(/workflows$/);
      expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(width);
      await userEvent.click(page.getByRole('button', { name: 'Cancel' }));
      await until(() => !bar(), 'no bar');
      expect(rows()[0]!.querySelector('a')).not.toBeNull();
    }
  });

  test.each([
    [640, 400],
    [1440, 900],
  ])('does not cover the row with the focus in a window of %i × %i', async (width, height) => {
    await page.viewport(width, height);
    await openList('/ns/NS/workflows', 10);
    const isInView = () => {
      const { top, bottom } = document.activeElement!.getBoundingClientRect();
      return top >= 0 && bottom <= (bar()?.getBoundingClientRect().top ?? height);
    };
    const visible = rows().filter((row) => row.getBoundingClientRect().bottom <= height);
    await go(visible.length - 1);
    press('x');
    await until(bar, 'the bar');
    await until(isInView, 'the picked row above the bar');
    for (const count of [1, 2, 3]) {
      const before = document.activeElement;
      press('j');
      await until(() => document.activeElement !== before && isInView(), `row ${count} above the bar`);
    }
  });

  test('fits a phone', async () => {
    await openList();
    await page.viewport(390, 844);
    for (const row of [0, 1]) await pick(row);
    await until(() => picked().length === 2, 'two runs');
    expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(390);
    expect(bar()!.scrollWidth).toBeLessThanOrEqual(bar()!.clientWidth);
  });
});

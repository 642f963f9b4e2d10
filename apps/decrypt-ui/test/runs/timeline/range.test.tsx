import { decodeRequest } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { setPreferences } from '../../../src/ui/preferences/preferences.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

const charge = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';
const order = `/ns/NS/workflows/order-88213/${RUN}`;
const field = (index: 0 | 1) => document.querySelectorAll<HTMLInputElement>('[role="dialog"] input')[index]!;
const from = () => field(0);
const to = () => field(1);
const open = async () => {
  await page.getByRole('button', { name: 'Visible time' }).click();
  await expect.element(page.getByRole('dialog', { name: /^Visible time/ })).toBeVisible();
};
const millis = (text: string) => Date.parse(`${text}Z`);

describe('the visible part of a run', () => {
  test('is selected by its start and end times, and reset by a button', async () => {
    const app = await renderApp(charge);
    await until(() => row('g11'), 'the rows');
    await open();
    const start = from().value;
    expect(millis(to().value) - millis(start)).toBe(4_200);
    await page.getByLabelText('From').fill(new Date(millis(start) + 1_000).toISOString().slice(0, -1));
    await page
      .getByLabelText('To', { exact: true })
      .fill(new Date(millis(start) + 3_000).toISOString().slice(0, -1));
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await until(() => app.history.location.search.includes('from=1000'), 'the start in the address');
    expect(app.history.location.search).toContain('to=3000');
    await until(() => !document.querySelector('[role="dialog"]'), 'the page');
    expect(document.activeElement).toBe(page.getByRole('button', { name: 'Visible time' }).element());
    await page.getByRole('button', { name: 'Show the whole run' }).click();
    await until(() => !app.history.location.search.includes('from='), 'the whole run');
    await expect.element(page.getByRole('button', { name: 'Show the whole run' })).not.toBeInTheDocument();
  });

  test('is entered in the user’s time zone, and its end must be after its start', async () => {
    await renderApp(charge);
    await until(() => row('g11'), 'the rows');
    await open();
    const utc = from().value;
    await userEvent.keyboard('{Escape}');
    setPreferences({ zone: 'Asia/Tokyo' });
    await open();
    expect(millis(from().value) - millis(utc)).toBe(9 * 3_600_000);
    await page.getByLabelText('To', { exact: true }).fill(utc);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await expect.element(page.getByRole('alert')).toHaveTextContent('The end must be after the start.');
  });
});

const longRun = '/ns/NS/workflows/long-2500/01997c2e-0000-7000-8000-0000000000b1';
/** Waits for the grid with all rows of the long run. */
const loaded = (rows = 2500) =>
  until(() => document.querySelector(`[role="treegrid"][aria-rowcount="${rows + 1}"]`), 'all rows');

test('keeps a run’s scroll position after the page has forgotten the run’s history, unless a link leads to an event', async () => {
  const app = await renderApp(longRun);
  const goTo = (path: string) => app.history.push(path.replace('NS', app.namespace));
  (await loaded()).scrollTop = 50_000;
  await until(() => row('g1790'), 'a later row');
  const batch = '/ns/NS/workflows/alerts-batch/01997c2e-a000-7000-8000-000000000007';
  goTo(batch);
  (await loaded(902)).scrollTop = 20_000;
  await until(() => row('g1440'), 'a later row of the batch');
  goTo(order);
  await until(() => row('g39'), 'the other run');
  // The page forgets a run ten seconds after the user has left it.
  await new Promise((resolve) => {
    setTimeout(resolve, 10_500);
  });
  const before = app.asked.length;
  goTo(longRun);
  const again = await loaded();
  await until(() => Math.abs(again.scrollTop - 50_000) < 2, 'the same position');
  const decoded = app.asked.slice(before).filter(({ url }) => url.endsWith('payloads:decode'));
  expect(decoded.flatMap(({ body }) => decodeRequest.parse(JSON.parse(body)).refs)).not.toContain('5:0');
  goTo(`${batch}?ev=12`);
  const linked = await loaded(902);
  await until(() => row('g12'), 'the linked event');
  expect(linked.scrollTop).toBeLessThan(1_000);
}, 90_000);

test('keeps a run’s scroll position and active row when the user returns to the run', async () => {
  const app = await renderApp(longRun);
  const scroller = await loaded();
  scroller.scrollTop = 5_000;
  const active = await until(() => row('g190'), 'a later row');
  active.focus();
  await until(() => active.tabIndex === 0, 'the active row');
  const { scrollTop } = scroller;
  app.history.push(order.replace('NS', app.namespace));
  await until(() => row('g39'), 'the other run');
  app.history.back();
  const again = await loaded();
  await until(() => Math.abs(again.scrollTop - scrollTop) < 2, 'the same position');
  press('j');
  await until(() => document.activeElement === row('g191'), 'the row after the active row');
});

import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { version } from '../../package.json';
import { press, renderApp, row, RUN, until } from '../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const rows = () => [...document.querySelectorAll<HTMLElement>('[role="treegrid"] [data-index]')];
const moments = () =>
  [...document.querySelectorAll('[role="treegrid"] time')].map((time) => time.textContent);
const stored = () => localStorage.getItem('decrypt-ui.preferences') ?? '';
const settings = async (path = '/ns/NS/workflows') => {
  const app = await renderApp(path);
  await until(() => rows().length > 3, 'the rows');
  await page.getByRole('button', { name: 'Settings' }).click();
  await expect.element(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
  return app;
};
const choose = (group: string, name: string) =>
  page.getByRole('group', { name: group }).getByRole('button', { name, exact: true }).click();

describe('the settings', () => {
  test('name the dashboard’s version', async () => {
    await settings();
    await expect.element(page.getByText(`temporal-kms ${version}`)).toBeVisible();
  });

  test('find a time zone by a part of its name, and apply it to the list and its tooltips', async () => {
    await settings();
    const before = moments()[0];
    await page.getByRole('combobox', { name: 'Time zone' }).fill('toky');
    await page.getByRole('option', { name: /Asia\/Tokyo/ }).click();
    await until(() => moments()[0] !== before, 'the other time');
    await until(() => stored().includes('"zone":"Asia/Tokyo"'), 'the stored zone');
    expect(document.querySelector('[role="treegrid"] time')?.getAttribute('data-tip')).toMatch(
      /\d\d:\d\d:\d\d\.\d{3}$/,
    );
    await userEvent.keyboard('{Escape}');
    await until(() => !document.querySelector('[role="dialog"]'), 'the page');
    expect(document.querySelector('header')?.textContent).toContain('UTC+9');
  });

  test('can make lists show 12-hour times, or how long ago something happened', async () => {
    await settings();
    await choose('Clock', '12 hours');
    await until(() => /\d [ap]m$/.test(moments()[0] ?? ''), 'a.m. or p.m.');
    await choose('Times in lists', 'Time since');
    await until(() => moments().every((text) => text?.endsWith('ago')), 'relative times');
    expect(stored()).toContain('"times":"relative"');
  });

  test('can switch off character keys, but no other keys', async () => {
    await settings(order);
    await choose('Character keys', 'Off');
    await userEvent.keyboard('{Escape}');
    await until(() => !document.querySelector('[role="dialog"]'), 'the page');
    await until(() => row('g1'), 'the rows');
    row('g1')!.focus();
    press('j');
    press('e');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(document.activeElement).toBe(row('g1'));
    press('ArrowDown');
    await until(() => document.activeElement === row('g5'), 'the next row');
    expect(document.querySelector('footer')?.textContent).toContain('↓');
    expect(document.querySelector('footer')?.textContent).not.toContain('next failed');
    press('k', document.body, { ctrlKey: true });
    await expect.element(page.getByRole('dialog', { name: 'Search or jump to' })).toBeVisible();
  });
});

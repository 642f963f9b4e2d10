import { beforeEach, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { press, renderApp, row, RUN, until } from '../support/render-app.tsx';

beforeEach(() => page.viewport(390, 844));

test('a condition in the filter does not touch the border of the field', async () => {
  await renderApp('/ns/NS/workflows?q=ExecutionStatus+%3D+"Failed"');
  const label = page.getByRole('button', { name: /^Edit filter/ });
  await expect.element(label).toBeVisible();
  const chip = label.element().parentElement!;
  const [inner, outer] = [chip, chip.parentElement!].map((each) => each.getBoundingClientRect());
  expect(inner!.top - outer!.top).toBeGreaterThanOrEqual(2);
  expect(outer!.bottom - inner!.bottom).toBeGreaterThanOrEqual(2);
});

test('the bar shows most of the namespace’s name even in the narrowest window that has room for links to all pages', async () => {
  await page.viewport(720, 450);
  await renderApp('/ns/NS/workflows');
  const name = await until(() => document.querySelector('header [class*="namespace"]'), 'the namespace');
  expect(name.getBoundingClientRect().width).toBeGreaterThan(48);
  expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(720);
});

test('the bar has no theme menu, so that the namespace’s name has space', async () => {
  await renderApp('/ns/NS/workflows');
  await expect.element(page.getByRole('button', { name: 'Settings' })).toBeVisible();
  expect(page.getByRole('button', { name: 'Theme' }).query()).toBeNull();
});

const ORDER = `/ns/NS/workflows/order-88213/${RUN}`;

test('an event’s sheet has space for its first payload', async () => {
  await renderApp(`${ORDER}?ev=1`);
  const block = await until(() => document.querySelector('aside [role="tabpanel"] section'), 'the payload');
  const sheet = block.closest('aside')!;
  await expect
    .poll(() => sheet.getBoundingClientRect().bottom - block.getBoundingClientRect().top)
    .toBeGreaterThan(120);
});

test('a short page scrolls to a control that gets the focus, but not to the heading', async () => {
  await page.viewport(640, 360);
  await renderApp(ORDER);
  await expect.element(page.getByRole('tab', { name: 'Metadata' })).toBeVisible();
  const main = document.querySelector('#main')!;
  await until(() => {
    main.scrollTo(0, 150);
    return main.scrollTop > 40;
  }, 'a page that is longer than the window');
  const { scrollTop } = main;
  document.querySelector('h1')!.focus({ preventScroll: true });
  expect(main.scrollTop).toBe(scrollTop);
  document.querySelector<HTMLElement>('a[aria-label="All workflows"]')!.focus({ preventScroll: true });
  expect(main.scrollTop).toBeLessThan(scrollTop);
});

test('a short page scrolls to the offer to search payloads, which appears while the user types', async () => {
  await page.viewport(640, 360);
  await renderApp(ORDER);
  await until(() => row('g39'), 'the rows');
  press('/');
  await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
  await userEvent.keyboard('vogel');
  const offer = page.getByRole('button', { name: 'Find in decrypted payloads' });
  await expect.element(offer).toBeVisible();
  await expect.poll(() => offer.element().getBoundingClientRect().bottom).toBeLessThanOrEqual(360);
});

test('the tab bar scrolls to the chosen tab', async () => {
  await renderApp(`${ORDER}?tab=metadata`);
  const tab = page.getByRole('tab', { name: 'Metadata' });
  await expect.element(tab).toBeVisible();
  const bar = tab.element().parentElement!;
  expect(bar.scrollWidth).toBeGreaterThan(bar.clientWidth);
  await expect
    // Allows a difference of a pixel, because the edges may be at fractions of pixels.
    .poll(() => bar.getBoundingClientRect().right - tab.element().getBoundingClientRect().right)
    .toBeGreaterThan(-1);
});

test('a long value in the metadata does not cover the next value', async () => {
  await renderApp(`${ORDER}?tab=metadata`);
  const id = await until(
    () => [...document.querySelectorAll('dd')].find(({ textContent }) => textContent.includes(RUN)),
    'the run id',
  );
  expect(id.scrollHeight).toBe(id.clientHeight);
});

test('a table scrolls if it is wider than the page', async () => {
  await renderApp(`${ORDER}?tab=durations`);
  const table = await until(() => document.querySelector('[role="tabpanel"] table'), 'the table');
  const frame = table.parentElement!;
  frame.scrollLeft = 1000;
  expect(frame.scrollLeft).toBe(table.getBoundingClientRect().width - frame.clientWidth);
});

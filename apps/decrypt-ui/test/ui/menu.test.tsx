import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { renderApp, until } from '../support/render-app.tsx';

const tab = (name: RegExp) => page.getByRole('tab', { name });
const focused = (name: string) => () => document.activeElement?.textContent.includes(name);

test('a menu opened from the keyboard focuses an item, and returns the focus to its button when it closes', async () => {
  await renderApp('/ns/NS/workflows');
  const button = page.getByRole('button', { name: 'Theme' });
  await expect.element(button).toBeVisible();
  button.element().focus();
  await userEvent.keyboard('{ArrowDown}');
  await until(focused('System'), 'the focus on the first item');
  expect(button.element().getAttribute('aria-expanded')).toBe('true');
  await userEvent.keyboard('{ArrowDown}');
  await until(focused('Dark'), 'the focus on the second item');
  await userEvent.keyboard('{Escape}');
  await until(() => document.activeElement === button.element(), 'the focus on the button');
  await userEvent.keyboard('{ArrowUp}');
  await until(focused('Light'), 'the focus on the last item');
  await userEvent.keyboard('{Escape}');
  await until(() => document.activeElement === button.element(), 'the focus on the button again');
  await userEvent.keyboard('{Enter}');
  await until(focused('System'), 'the focus on the first item after Enter');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
  expect(button.element().getAttribute('aria-expanded')).toBe('false');
});

test('Tab closes a menu and returns the focus to its button', async () => {
  await renderApp('/ns/NS/workflows');
  const button = page.getByRole('button', { name: 'Theme' });
  await button.click();
  await until(() => document.activeElement?.closest('[role="menu"]'), 'the focus in the menu');
  expect(document.querySelector('[role="menu"]')?.closest('header')).not.toBeNull();
  await userEvent.keyboard('{Tab}');
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
  await until(() => document.activeElement === button.element(), 'the focus on the button');
});

test('a click on a menu’s button opens the menu, and another click closes it', async () => {
  await renderApp('/ns/NS/workflows');
  const button = page.getByRole('button', { name: 'Theme' });
  await button.click();
  await expect.element(page.getByRole('menu', { name: 'Theme' })).toBeVisible();
  await button.click();
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
  await button.click();
  await expect.element(page.getByRole('menu')).toBeVisible();
  await page.getByRole('heading').first().click();
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
});

test('the arrow keys, Home and End choose a tab', async () => {
  await renderApp('/ns/NS/workflows/order-88213/01997c2e-0000-7000-8000-000000000001');
  await expect.element(tab(/^History/)).toHaveAttribute('aria-selected', 'true');
  tab(/^History/)
    .element()
    .focus();
  await userEvent.keyboard('{ArrowRight}');
  await expect.element(tab(/^Now/)).toHaveAttribute('aria-selected', 'true');
  await expect.element(tab(/^Now/)).toHaveFocus();
  await userEvent.keyboard('{End}');
  await expect.element(tab(/^Metadata/)).toHaveFocus();
  await userEvent.keyboard('{ArrowRight}');
  await expect.element(tab(/^History/)).toHaveFocus();
  await expect.element(page.getByRole('tabpanel', { name: /^History/ })).toBeVisible();
});

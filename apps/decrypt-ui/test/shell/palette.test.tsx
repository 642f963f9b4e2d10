import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { press, renderApp, row, RUN, until } from '../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const options = () => [...document.querySelectorAll('[role="option"]')].map((item) => item.textContent ?? '');
const open = async () => {
  press('k', document.body, { ctrlKey: true });
  await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
};

describe('the palette', () => {
  // This must be the file's first test, because later tests find the palette loaded.
  test('receives keys that are typed before it has loaded', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    row('g39')!.focus();
    press('k', row('g39')!, { ctrlKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    // Each of these letters is a command's key.
    for (const key of 'lex') await userEvent.keyboard(key);
    await until(() => document.querySelector('[role="listbox"]'), 'the palette');
    await userEvent.keyboard('po');
    const field = document.querySelector<HTMLInputElement>('[role="dialog"] input')!;
    expect(document.querySelectorAll('[role="dialog"]')).toHaveLength(1);
    expect(field.value).toBe('lexpo');
    await expect.element(page.getByText('You have locked the payloads.')).not.toBeInTheDocument();
    await userEvent.keyboard('{Escape}');
    await until(() => document.activeElement === row('g39'), 'the focus on the row');
  });

  test('runs a command of the page by name', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    await open();
    await userEvent.keyboard('next fail');
    await until(() => options().length === 1, 'the command');
    expect(options()[0]).toBe('Next failedE');
    await userEvent.keyboard('{Enter}');
    await until(() => row('g39')?.getAttribute('aria-selected') === 'true', 'its effect');
    await until(() => !document.querySelector('[role="dialog"]'), 'the closed palette');
  });

  test('offers only commands that can run on the page', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[role="treegrid"] [data-index]'), 'the list');
    await open();
    await until(() => options().length > 0, 'the commands');
    expect(options().join()).toContain('Find or filter');
    expect(options().join()).toContain('Choose columns,Export loaded rows as JSON,Export loaded rows as CSV');
    expect(options().join()).not.toContain('Next failed');
    expect(options().join()).not.toContain('Next row');
  });

  test('offers no export of a list without rows', async () => {
    await renderApp('/ns/empty/workflows', { namespace: 'empty' });
    await expect.element(page.getByText('No workflows in this namespace yet')).toBeVisible();
    await open();
    await until(() => options().length > 0, 'the commands');
    expect(options().join()).toContain('Choose columns');
    expect(options().join()).not.toContain('Export loaded rows');
  });

  test('distinguishes two runs of one workflow id by start time', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[role="treegrid"] [data-index]'), 'the list');
    await open();
    await userEvent.keyboard('refund-7');
    const found = await until(() => {
      const runs = options().filter((text) => text.startsWith('refund-7'));
      return runs.length === 2 && runs;
    }, 'both runs');
    expect(found[0]).toMatch(/\d\d:\d\d/);
    expect(found[0]).not.toBe(found[1]);
  });

  test('goes to a workflow by the beginning of its id, and to an event by its number', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[role="treegrid"] [data-index]'), 'the list');
    await open();
    await userEvent.keyboard('order-88');
    await until(() => options().some((text) => text.startsWith('order-88213')), 'the workflow');
    await userEvent.keyboard('{Enter}');
    await until(() => app.history.location.pathname.includes('order-88213'), 'its page');
    await until(() => row('g39'), 'its rows');
    await open();
    await userEvent.keyboard('#44');
    await until(() => options().includes('Event 44 of this run'), 'the event');
    await userEvent.keyboard('{Enter}');
    await until(() => row('e44')?.getAttribute('aria-selected') === 'true', 'its selection');
  });
});

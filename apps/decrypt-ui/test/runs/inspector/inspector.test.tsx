import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { renderApp, row, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const stuck = '/ns/NS/workflows/alerts-stuck/01997c2e-a000-7000-8000-000000000001';
const panel = () => document.querySelector('[role="tabpanel"]')?.textContent ?? '';
const inspector = () => document.querySelector('[data-inspector]')?.textContent ?? '';

describe('the inspector', () => {
  test('shows attributes in words, with units', async () => {
    await renderApp(`${order}?ev=39&pane=attributes`);
    await until(() => inspector().includes('Time limit of an attempt30 s'), 'the time limit');
    expect(inspector()).toContain('Maximum attempts5');
    expect(inspector()).toContain('Retry stateMaximum attempts reached');
    expect(inspector()).not.toContain('RETRY_STATE');
  });

  test('names the workflow’s task queue, and the worker to which a sticky task queue belongs', async () => {
    await renderApp(`${stuck}?ev=2`);
    await until(() => inspector().includes('Queueorders'), 'the queue');
    expect(inspector()).toContain('Sticky to worker51c02@orders-worker-sticky');
  });

  test('shows a failure on one line near the payloads, and its causes on a click', async () => {
    await renderApp(`${order}?ev=39`);
    const line = page.getByRole('button', { name: /Declined: do_not_honor/ });
    await expect.element(line).toBeVisible();
    expect(inspector()).not.toContain('StripeCardError');
    await userEvent.click(line);
    await until(() => inspector().includes('StripeCardError'), 'the chain');
  });

  test('shows the raw event with references to payloads, and with decoded payloads on request', async () => {
    await renderApp(`${order}?ev=39&pane=raw`);
    await until(() => inspector().includes('"$payload": "39:0"'), 'the reference');
    expect(inspector()).not.toContain('maren.vogel@mail.example');
    await userEvent.click(page.getByRole('button', { name: 'Decoded' }));
    await until(() => inspector().includes('maren.vogel@mail.example'), 'the decrypted value');
    expect(inspector()).not.toContain('"$payload": "39:0"');
  });

  test('shows a raw event with large payloads as a tree, and draws only the lines in view', async () => {
    await renderApp('/ns/NS/workflows/every-encoding/01997c2e-0000-7000-8000-0000000000ec?ev=2&pane=raw');
    await userEvent.click(page.getByRole('button', { name: 'Decoded' }));
    await until(() => inspector().includes('just words'), 'a small payload');
    await until(() => !inspector().includes('$payload'), 'the large payload');
    const tree = page.getByRole('tree', { name: 'Event 2 as JSON' });
    const lines = tree.element().querySelectorAll('[role="treeitem"]');
    expect(lines.length).toBeLessThan(200);
    tree.element().scrollTop = 1e6;
    await until(() => tree.element().textContent?.includes('long enough to take'), 'its last lines');
  });

  test('shows the raw event as Temporal stores it, on request', async () => {
    const app = await renderApp(`${order}?ev=39&one=true&pane=raw`);
    await until(() => inspector().includes('"$payload": "39:0"'), 'the reference');
    await userEvent.click(page.getByRole('button', { name: 'As stored' }));
    await until(() => inspector().includes(btoa('stored 39:0')), 'the stored bytes');
    expect(inspector()).toContain('as Temporal stores it');
    const asked = app.asked.filter(({ url }) => url.endsWith('history:export'));
    expect(asked.map(({ body }) => JSON.parse(body))).toContainEqual({
      form: 'encoded',
      events: { first: 39, last: 39 },
    });
    const cached = JSON.stringify(
      app.queries
        .getQueryCache()
        .getAll()
        .map(({ state }) => state.data),
    );
    expect(cached).not.toContain(btoa('stored 39:0'));
  });
});

test('shows what a payload is bound to', async () => {
  await renderApp(`${order}?ev=1&pane=crypto`);
  await until(() => inspector().includes('Boundto its namespace and to this workflow id'), 'the input');
  expect(inspector()).toMatch(/Boundto its namespace(?! and)/);
});

test('the sheet on a phone can be resized with keys and by dragging its handle', async () => {
  await page.viewport(390, 844);
  await renderApp(`${order}?ev=39`);
  const handle = page.getByRole('separator', { name: 'Height of the inspector' });
  await expect.element(handle).toHaveAttribute('aria-valuenow', '46');
  handle.element().dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }));
  await expect.element(handle).toHaveAttribute('aria-valuenow', '56');
  handle.element().dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
  await expect.element(handle).toHaveAttribute('aria-valuenow', '100');
  await expect.element(page.getByRole('button', { name: 'Reduce the inspector' })).toBeVisible();
  const element = handle.element();
  const pointer = (type: string, clientY: number) =>
    element.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientY, bubbles: true }));
  // The browser cannot capture the pointer of a synthetic event.
  element.setPointerCapture = () => undefined;
  element.hasPointerCapture = () => true;
  pointer('pointerdown', 200);
  pointer('pointermove', 600);
  await until(() => Number(element.getAttribute('aria-valuenow')) < 60, 'a lower sheet');
});

test('pending work shows its attempts, its retries and when Temporal stops retrying, and links to its event', async () => {
  await renderApp(`${order}?tab=pending`);
  await until(() => panel().includes('Waits between attempts8 s'), 'the retry interval');
  expect(panel()).toContain('Attempt3 of 8');
  expect(panel()).toContain('Attempt1, no maximum');
  expect(panel()).toContain('Gives up');
  await expect.element(page.getByRole('link', { name: 'order-88213-hold' })).toBeVisible();
  await userEvent.click(page.getByRole('tabpanel').getByRole('button', { name: 'Event 53' }));
  await until(() => row('g53')?.getAttribute('aria-selected') === 'true', 'the event');
});

import { afterEach, describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { newNamespace, onDemand, sessionOf } from '../../support/people.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const retrying = '/ns/NS/workflows/alerts-retrying/01997c2e-a000-7000-8000-000000000006';
const pane = () => document.querySelector('[data-inspector]')?.textContent.replaceAll(/\s+/g, ' ') ?? '';
const footer = () => document.querySelector('footer')?.textContent ?? '';

describe('pausing updates', () => {
  test('keeps the rows and the status unchanged until the user continues', async () => {
    const app = await renderApp(order);
    await until(() => footer().includes('Live'), 'the history');
    const before = await until(() => row('g59'), 'the last row');
    expect(footer()).toMatch(/^Live, last event \d+ \w+ [\d :]+/);
    press('s');
    await until(() => footer().includes('Paused'), 'the pause');
    await app.steer('append', { workflowId: 'order-88213', count: 2 });
    await app.steer('close', { workflowId: 'order-88213' });
    const held = /Paused at \d\d:\d\d:\d\d, \d new events?, the run has ended/;
    await until(() => held.test(footer()), 'what the page holds back');
    expect(row('g59')).toBe(before);
    expect(before.textContent).toContain('not yet durable');
    await expect.element(page.getByRole('status', { name: 'Running' })).toBeVisible();
    await userEvent.click(page.getByRole('button', { name: 'Continue' }));
    await expect.element(page.getByRole('status', { name: 'Completed' })).toBeVisible();
    await until(() => footer().includes('Closed'), 'the end');
    expect(footer()).not.toContain('Paused');
  });
});

test('does not pause before the first rows have loaded', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const app = await renderApp(order, {
    session: ({ fetch }) =>
      withoutSignIn('open', async (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        if (url.includes('/history')) await released;
        return fetch(input, init);
      }),
  });
  await until(() => footer().includes('0 of about'), 'the page without rows');
  press('s');
  release();
  await until(() => row('g59'), 'the last row');
  await until(() => footer().includes('Paused'), 'the pause');
  await app.steer('append', { workflowId: 'order-88213', count: 2 });
  await until(() => /Paused at [\d:]+, \d new events?/.test(footer()), 'what the page holds back');
  expect(row('g59')?.textContent).toContain('not yet durable');
});

test('shows that the page is disconnected, even while updates are paused', async () => {
  let away = false;
  const app = await renderApp(order, {
    session: ({ fetch }) =>
      withoutSignIn('open', (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        return away && url.includes('/history')
          ? Promise.resolve(
              Response.json({ error: { code: 'temporal_unavailable', message: '' } }, { status: 503 }),
            )
          : fetch(input, init);
      }),
  });
  await until(() => footer().includes('Live'), 'the history');
  press('s');
  await until(() => /Paused at [\d:]+Continue/.test(footer()), 'the pause');
  away = true;
  await app.steer('cut');
  await until(() => /Paused at [\d:]+, disconnected/.test(footer()), 'the state of the connection');
});

describe('attempt failures', () => {
  test('stay on the page, although Temporal keeps only the last failure', async () => {
    const app = await renderApp(`${retrying}?ev=2&pane=failure`);
    await until(() => pane().includes('the bank is closed'), 'the last failure');
    expect(pane()).not.toContain('Earlier attempts');
    await app.steer('fail-attempt', { workflowId: 'alerts-retrying', count: 90 });
    await until(() => /Attempt 87 failed: the bank is closed/.test(pane()), 'the earlier failure');
    await until(() => pane().includes('refused 90'), 'the last failure');
    await app.steer('fail-attempt', { workflowId: 'alerts-retrying', count: 91 });
    await until(() => /Attempt 90 failed at \d+ \w+ [\d:]+: refused 90/.test(pane()), 'the next one');
    await until(() => pane().includes('refused 91'), 'the last failure');
    expect(pane()).toContain('Attempt 87 failed: the bank is closed');
    expect(new Set(app.refs().filter((ref) => ref.startsWith('0:'))).size).toBe(3);
  });
});

test('an earlier attempt’s failure has no message if the message was locked while Temporal stored it', async () => {
  const me = onDemand(newNamespace());
  const namespace = me.namespaces[0]!.name;
  const app = await renderApp(`${retrying}?ev=2&pane=failure`, { namespace, session: sessionOf(me).make });
  await until(() => pane().includes('BankClosed'), 'the type of the failure');
  await app.steer('fail-attempt', { workflowId: 'alerts-retrying', count: 90 });
  await until(() => pane().includes('Attempt 87 failed'), 'the earlier failure');
  press('R', document.body, { shiftKey: true });
  await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
  await userEvent.keyboard('{Enter}');
  await until(() => pane().includes('refused 90'), 'the last failure');
  await until(() => pane().includes('Attempt 87 failed: BankClosed message no longer stored'), 'the reason');
});

const choose = async () => {
  await userEvent.click(page.getByRole('button', { name: 'View options' }));
  await userEvent.click(page.getByRole('menuitemcheckbox', { name: 'Notify when the run ends' }));
};

describe('the notification when a run ends', () => {
  const shown = vi.fn();
  const request = vi.fn(async () => 'granted');
  class Notice extends EventTarget {
    static permission = 'default';
    static requestPermission = request;
    constructor(title: string, options: object) {
      super();
      shown(title, options);
    }
  }
  afterEach(() => {
    shown.mockClear();
  });

  test('contains only the workflow and its status, and appears even after the user has left the page', async () => {
    vi.stubGlobal('Notification', Notice);
    const app = await renderApp(order);
    await until(() => footer().includes('Live'), 'the history');
    expect(request).not.toHaveBeenCalled();
    await choose();
    await until(() => request.mock.calls.length === 1, 'the question');
    app.history.push(`/ns/${app.namespace}/keys`);
    await until(() => !row('g1'), 'another page');
    await app.steer('close', { workflowId: 'order-88213' });
    await until(() => shown.mock.calls.length > 0, 'the notification');
    expect(shown.mock.calls).toEqual([['order-88213', { body: 'Completed', tag: RUN }]]);
  });

  test('does not appear if the user turns it off or the browser blocks it', async () => {
    vi.stubGlobal('Notification', Notice);
    const app = await renderApp(order);
    await until(() => footer().includes('Live'), 'the history');
    await choose();
    await userEvent.click(
      page.getByRole('menuitemcheckbox', { name: 'Notify when the run ends', checked: true }),
    );
    request.mockResolvedValueOnce('denied');
    await userEvent.click(
      page.getByRole('menuitemcheckbox', { name: 'Notify when the run ends', checked: false }),
    );
    const blocked = { name: 'The browser blocks notifications from this page.' };
    await expect.element(page.getByRole('menuitem', blocked)).toBeVisible();
    await app.steer('close', { workflowId: 'order-88213' });
    await expect.element(page.getByRole('status', { name: 'Completed' })).toBeVisible();
    expect(shown).not.toHaveBeenCalled();
  });
});

import { describe, expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { renderApp, row, RUN, until } from '../../support/render-app.tsx';

const unavailable = () =>
  Response.json(
    { error: { code: 'temporal_unavailable', message: 'Temporal does not answer.' } },
    { status: 503 },
  );

/** Renders a page while the codec server cannot reach Temporal, until `restore` is called. Counts refused requests, except streams. */
async function duringOutage(path: string) {
  let away = true;
  let refused = 0;
  const refuse = (url: string) => {
    if (!url.includes('/runs/')) refused += 1;
    return unavailable();
  };
  const app = await renderApp(path, {
    session: ({ fetch }) =>
      withoutSignIn('open', async (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        if (!away) return fetch(input, init);
        if (!url.endsWith('/api/health'))
          return url.includes('/workflows') ? refuse(url) : fetch(input, init);
        return Response.json({ kms: { status: 'ok', emulator: false }, temporal: { status: 'unavailable' } });
      }),
  });
  return { ...app, refused: () => refused, restore: () => (away = false) };
}

describe('a page that was opened while Temporal is unavailable', () => {
  test.each([
    ['a run', `/ns/NS/workflows/order-88213/${RUN}`],
    ['the latest run of a workflow', '/ns/NS/workflows/order-88213'],
  ])('shows %s when Temporal is available again', async (_, path) => {
    const app = await duringOutage(path);
    const title = page.getByRole('heading', { level: 1, name: 'The run could not be loaded' });
    await expect.element(title).toBeVisible();
    await expect.element(page.getByText('Temporal unreachable')).toBeVisible();
    // The button stays on the page during another attempt, so that it keeps the focus.
    const button = await until(
      () => [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Try again'),
      'the button',
    );
    const before = app.refused();
    await until(() => app.refused() > before + 1, 'other requests');
    expect(button.isConnected).toBe(true);
    app.restore();
    await until(() => row('g39'), 'the rows');
    await expect.element(page.getByText('KMS emulator healthy')).toBeVisible();
  });

  test('shows the list when Temporal is available again', async () => {
    const app = await duringOutage('/ns/NS/workflows');
    await expect.element(page.getByText('The workflows could not be loaded')).toBeVisible();
    app.restore();
    await until(() => document.querySelector('[role="treegrid"] [data-key]'), 'the rows');
  });
});

test('a history that cannot be read shows no empty overview, and is read when the user retries', async () => {
  let away = true;
  await renderApp(`/ns/NS/workflows/order-88213/${RUN}`, {
    session: ({ fetch }) =>
      withoutSignIn('open', async (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        return away && url.includes('/history') ? unavailable() : fetch(input, init);
      }),
  });
  await expect.element(page.getByText('Reconnecting to the history')).toBeVisible();
  expect(document.querySelector('[class*="overview"]')).toBeNull();
  const retry = page.getByRole('button', { name: 'Retry now' });
  await expect.element(retry).toBeVisible();
  // Clicks in the same task, because the page also retries on its own, and then has no button.
  away = false;
  retry.element().dispatchEvent(new MouseEvent('click', { bubbles: true }));
  await until(() => row('g39'), 'the rows');
  await expect.element(page.getByText('Reconnecting to the history')).not.toBeInTheDocument();
});

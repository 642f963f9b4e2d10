import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../src/session/sign-in/session.ts';
import { expiring, inNamespace, newNamespace, person, personWith, sessionOf } from '../support/people.ts';
import { renderApp, row, RUN, until } from '../support/render-app.tsx';

const text = (key: string) => row(key)?.textContent ?? '';
const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const button = (name: string | RegExp) => page.getByRole('button', { name });
const body = () => document.body.textContent ?? '';

const refused: typeof fetch = () =>
  Promise.resolve(
    Response.json({ error: { code: 'unauthenticated', message: 'Sign in: send a token.' } }, { status: 401 }),
  );
const failing: typeof fetch = () => Promise.reject(new TypeError('Failed to fetch'));

describe('without sign-in', () => {
  test('the page of a server with AUTH=none shows everything, without an account menu', async () => {
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}`);
    await until(() => text('g1').includes('3 items to DE'), 'the summary');
    expect(document.querySelector('button[aria-label^="Account"]')).toBeNull();
    expect(app.asked.some(({ url }) => url.endsWith('/api/me'))).toBe(false);
  });

  test('the page of a server that offers no sign-in states what the operator can do', async () => {
    await renderApp('/ns/NS/workflows', { session: () => withoutSignIn('external', refused) });
    await expect.element(heading('The codec server does not know who you are')).toBeVisible();
    await expect.element(page.getByText('Sign in: send a token.')).toBeVisible();
    await expect.element(button('Reload the page')).toBeVisible();
  });
});

describe('the sign-in page', () => {
  test('leads to the provider and keeps the address', async () => {
    const { make, windows } = sessionOf(undefined, { status: 'signed_out', because: 'start' });
    const app = await renderApp('/ns/NS/workflows?q=refund', { session: make });
    await expect.element(heading('Sign in to temporal-kms')).toBeVisible();
    await button('Sign in with login.example').click();
    await until(() => windows.left.length === 1, 'the provider');
    expect(app.history.location.href).toContain('/workflows?q=refund');
    expect(app.asked).toEqual([]);
  });

  test('states why the last sign-in failed', async () => {
    const { make } = sessionOf(undefined, {
      status: 'signed_out',
      because: 'failed',
      message: 'This page cannot reach the identity provider.',
    });
    await renderApp('/ns/NS/workflows', { session: make });
    await expect
      .element(page.getByRole('alert'))
      .toHaveTextContent('The last sign-in failedThis page cannot reach the identity provider.');
  });
});

describe('a person', () => {
  test('without any permission sees which permission they need, and can check again', async () => {
    const { make } = sessionOf(person([]));
    const app = await renderApp('/', { session: make });
    await expect.element(heading('You may not read workflows in any namespace')).toBeVisible();
    await expect.element(page.getByText('ana.king@example.com')).toBeVisible();
    expect(app.asked.every(({ url }) => url.endsWith('/api/me'))).toBe(true);
    await button('Check again').click();
    await until(() => app.asked.length > 1, 'another request');
  });

  test('sees only the namespaces that they may read', async () => {
    const me = person([inNamespace('payments-prod', ['metadata']), inNamespace('identity-prod', ['encode'])]);
    await renderApp('/', { session: sessionOf(me).make });
    await page.getByRole('button', { name: /^Namespace:/ }).click();
    await expect.element(page.getByRole('menuitemradio', { name: 'payments-prod' })).toBeVisible();
    expect(body()).not.toContain('identity-prod');
  });

  test('at the address of a namespace that they may not read, sees which permission is missing, and a link to another namespace', async () => {
    const me = person([inNamespace('payments-prod', ['metadata', 'decode'])]);
    const app = await renderApp('/ns/identity-prod/workflows', { session: sessionOf(me).make });
    await expect.element(heading('You may not read workflows in identity-prod')).toBeVisible();
    await page.getByRole('button', { name: /^Namespace:/ }).click();
    await expect.element(page.getByRole('menuitemradio', { name: 'payments-prod' })).toBeVisible();
    expect(page.getByRole('menuitemradio', { name: 'identity-prod' }).query()).toBeNull();
    await userEvent.keyboard('{Escape}');
    await page.getByRole('link', { name: 'Workflows of payments-prod' }).click();
    await until(() => app.history.location.pathname === '/ns/payments-prod/workflows', 'the list');
  });

  test('sees a masked history if they may see only metadata, and the page requests no payload', async () => {
    const namespace = newNamespace();
    const { make } = sessionOf(person([inNamespace(namespace, ['metadata'])]));
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}`, { namespace, session: make });
    await until(() => row('g39'), 'the activity');
    await expect.element(page.getByText('You can see metadata, not payloads.')).toBeVisible();
    await until(() => row('g1')?.querySelector('[data-masked]'), 'the masks');
    await expect.element(page.getByText(/payloads not shown/)).toBeVisible();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(app.refs()).toEqual([]);
  });

  test('sees masks if payloads need a justification, and the page requests no payload without a justification', async () => {
    const namespace = newNamespace();
    const me = person([{ name: namespace, permissions: ['metadata', 'decode'], reveal: 'on-demand' }]);
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}`, {
      namespace,
      session: sessionOf(me).make,
    });
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
    await until(() => row('g1')?.querySelector('[data-masked]'), 'the masks');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(app.refs()).toEqual([]);
  });

  test('sees their name and permissions in the account menu, and can sign out there', async () => {
    const namespace = newNamespace();
    const me = person([
      { name: namespace, permissions: ['metadata', 'decode'], reveal: 'on-demand' },
      inNamespace('orders', ['metadata']),
    ]);
    const { make, windows } = sessionOf(me);
    const app = await renderApp('/ns/NS/workflows', { namespace, session: make });
    await button('Account AK').click();
    await expect.element(page.getByText('ana.king@example.com')).toBeVisible();
    await expect.element(page.getByText('metadata, with justification: decode')).toBeVisible();
    await expect.element(page.getByRole('menuitem', { name: /^orders/ })).toBeVisible();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await expect.element(heading('You are signed out')).toBeVisible();
    expect(windows.replaced).toHaveLength(1);
    expect(app.plaintext.bytes).toBe(0);
    expect(app.queries.getQueryCache().getAll()).toEqual([]);
  });
});

describe('a sign-in that the server refuses', () => {
  test('leads to a page with the reason and a way to try again', async () => {
    const { make } = sessionOf(undefined);
    await renderApp('/ns/NS/workflows', { session: make });
    await expect.element(heading('The codec server does not accept your sign-in')).toBeVisible();
    await expect.element(page.getByText('The token is refused: it has expired.')).toBeVisible();
  });
});

describe('an expired sign-in', () => {
  test('hides plaintext, keeps the page and the selection, and shows plaintext again after a new sign-in', async () => {
    const { namespace, ...signedIn } = personWith(['metadata', 'decode']);
    const { make, expire, permit } = expiring(signedIn);
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}?ev=39`, { namespace, session: make });
    await until(() => text('g1').includes('3 items to DE'), 'the summary');
    expire();
    // This request waits until the person has signed in again.
    void app.queries.refetchQueries({ queryKey: ['health'] });
    await expect.element(page.getByText('Your sign-in has expired.')).toBeVisible();
    await until(() => !body().includes('3 items to DE'), 'no plaintext');
    expect(app.plaintext.bytes).toBe(0);
    expect(row('g39')?.getAttribute('aria-selected')).toBe('true');
    expect(row('g1')?.querySelector('[data-masked]')).not.toBeNull();

    permit();
    await button('Sign in again').click();
    await until(() => text('g1').includes('3 items to DE'), 'the summary again');
    await expect.element(page.getByText('Your sign-in has expired.')).not.toBeInTheDocument();
    expect(app.history.location.href).toContain('ev=39');
  });
});

describe('a server that cannot be reached', () => {
  test('is shown with its address, and the page retries automatically', async () => {
    let asked = 0;
    const { make } = sessionOf(person([]));
    await renderApp('/ns/NS/workflows', {
      session: (actions) =>
        make({
          ...actions,
          fetch: () => {
            asked += 1;
            return failing('');
          },
        }),
      apiUrl: 'http://127.0.0.1:9',
    });
    await expect.element(heading('The codec server does not answer')).toBeVisible();
    await expect.element(page.getByText('http://127.0.0.1:9', { exact: true })).toBeVisible();
    const before = asked;
    await until(() => asked > before, 'another attempt');
  });

  test('is distinguished from a server that does not allow the page’s origin', async () => {
    const { make } = sessionOf(person([]));
    await renderApp('/ns/NS/workflows', { session: (actions) => make({ ...actions, fetch: failing }) });
    await expect.element(heading('The codec server does not allow this page')).toBeVisible();
    await expect.element(page.getByText(location.origin, { exact: true })).toBeVisible();
  });
});

import { queryRequest } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { requested } from '../../../src/runs/requested.ts';
import { newNamespace, person, personWith, sessionOf } from '../../support/people.ts';
import { press, renderApp, RUN, until } from '../../support/render-app.tsx';

const NOW = `/ns/NS/workflows/order-88213/${RUN}?tab=now`;
const button = (name: string | RegExp) => page.getByRole('button', { name });
const body = () => document.body.textContent ?? '';

const queriesOf = ({ asked }: Awaited<ReturnType<typeof renderApp>>) =>
  asked
    .filter(({ url }) => url.endsWith('/query'))
    .map((request) => queryRequest.parse(JSON.parse(request.body)));

async function askedWorker(options: Parameters<typeof renderApp>[1] = {}) {
  const app = await renderApp(NOW, options);
  await userEvent.click(button('Ask the worker'));
  await expect.element(page.getByRole('heading', { name: 'Queries' })).toBeVisible();
  return app;
}

describe('the Now tab', () => {
  test('asks no worker before the user clicks, and then shows details, call stack and queries', async () => {
    const app = await renderApp(NOW);
    await expect.element(button('Ask the worker')).toBeVisible();
    expect(queriesOf(app)).toEqual([]);
    await userEvent.click(button('Ask the worker'));
    await expect.element(page.getByRole('heading', { name: 'Waits for approval' })).toBeVisible();
    await expect.element(page.getByText('approvalOf')).toBeVisible();
    await expect.element(page.getByText('Where the order is')).toBeVisible();
    expect(body()).not.toContain('Returns a sensible stack trace');
    expect(queriesOf(app).map(({ type }) => type)).toEqual(['__temporal_workflow_metadata', '__stack_trace']);
  });

  test('renders the details without scripts, pictures, forms or styles, and with web links that cannot reach the page', async () => {
    await askedWorker();
    const heading = await until(
      () => [...document.querySelectorAll('h2')].find(({ textContent }) => /Waits for/.test(textContent)),
      'the details',
    );
    const details = heading.parentElement!;
    expect(details.querySelector('script, img, iframe, form, input, svg, style, object')).toBeNull();
    const attributes = [...details.querySelectorAll('*')].flatMap((element) => element.getAttributeNames());
    expect(new Set(attributes)).toEqual(new Set(['href', 'target', 'rel']));
    const links = [...details.querySelectorAll('a[href]')];
    expect(links.map((link) => link.getAttribute('href'))).toEqual(['https://shop.example/orders/1']);
    expect(links[0]!.getAttribute('rel')).toBe('noopener noreferrer');
  });

  test('runs a query, and shows its result like any other payload', async () => {
    const app = await askedWorker();
    await userEvent.click(button('Run status'));
    await expect.element(page.getByText('"Mira Kowalska"')).toBeVisible();
    await expect.element(button('Copy result')).toBeVisible();
    expect(queriesOf(app).at(-1)).toEqual({ type: 'status', arguments: [] });
    expect(app.asked.some(({ url }) => url.includes('status'))).toBe(false);
  });

  test('sends arguments in the body with every digit, and rejects text that is not a JSON array or is too large', async () => {
    const app = await askedWorker();
    await userEvent.click(button('Arguments of item'));
    const field = page.getByRole('textbox', { name: 'Arguments, as a JSON array' });
    await expect.element(field).toHaveFocus();
    await userEvent.fill(field, '{"a": 1}');
    await userEvent.click(button('Run item'));
    await expect.element(page.getByText(/not a JSON array/)).toBeVisible();
    await userEvent.fill(field, `["${'x'.repeat(250_000)}"]`);
    await userEvent.click(button('Run item'));
    await expect.element(page.getByText('The arguments are larger than 240 KiB.')).toBeVisible();
    expect(queriesOf(app)).toHaveLength(2);
    await userEvent.fill(field, '[12345678901234567890, {"sku": "A-1"}]');
    await userEvent.click(button('Run item'));
    await expect.element(page.getByText('"A-1"')).toBeVisible();
    expect(queriesOf(app).at(-1)?.arguments).toEqual(['12345678901234567890', '{"sku":"A-1"}']);
    await userEvent.fill(field, '[]');
    await until(() => !body().includes('"A-1"'), 'the answer to the former arguments dropped');
  });

  test('shows why a query failed, or that no worker answered', async () => {
    await askedWorker();
    const name = page.getByRole('textbox', { name: 'Another query' });
    await userEvent.fill(name, 'fails');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByText('no order')).toBeVisible();
    await userEvent.fill(name, 'unanswered');
    // The page drops the answer to the earlier query.
    expect(body()).not.toContain('no order');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByText('No worker answered', { exact: true })).toBeVisible();
  });

  test('names the permissions that the person lacks, and sends nothing', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp(NOW, { namespace, session: make });
    await expect.element(page.getByText('You may not run queries here.')).toBeVisible();
    const codes = [...document.querySelectorAll('[role="tabpanel"] code')].map(
      ({ textContent }) => textContent,
    );
    expect(codes).toEqual(['query', 'decode']);
    await expect.element(button(/Ask the worker/)).not.toBeInTheDocument();
    expect(queriesOf(app)).toEqual([]);
  });

  test('does not offer to encrypt arguments without the permission to encode', async () => {
    const { namespace, make } = personWith(['metadata', 'decode', 'query']);
    await askedWorker({ namespace, session: make });
    await userEvent.click(button('Arguments of item'));
    await expect.element(page.getByText(/To encrypt arguments/)).toBeVisible();
    await expect.element(page.getByRole('textbox', { name: /Arguments/ })).not.toBeInTheDocument();
  });

  test('sends the justification if the namespace reveals payloads on demand, and hides the answers when the reveal ends', async () => {
    const namespace = newNamespace();
    const me = person([
      {
        name: namespace,
        permissions: ['metadata', 'decode', 'query'],
        reveal: 'on-demand',
        revealMinutes: 15,
      },
    ]);
    const app = await renderApp(NOW, { namespace, session: sessionOf(me).make });
    await userEvent.click(button('Ask the worker'));
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    expect(queriesOf(app)).toEqual([]);
    await userEvent.keyboard('{Enter}');
    await userEvent.click(button('Run status'));
    await expect.element(page.getByText('"Mira Kowalska"')).toBeVisible();
    expect(queriesOf(app).map(({ justification }) => justification)).toEqual(Array(3).fill('PAY-4417'));
    press('L');
    await until(() => !body().includes('Mira') && !body().includes('Waits for'), 'the answers hidden');
    expect(body()).not.toContain('approvalOf');
    expect(body()).toContain('The answer is hidden. To see it, click “Ask the worker again”.');
    expect(queriesOf(app)).toHaveLength(3);
  });

  test('names the workers of the run’s task queues without a query', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp(NOW, { namespace, session: make });
    await expect.element(page.getByRole('cell', { name: '41@orders-1' })).toBeVisible();
    await expect.element(page.getByRole('cell', { name: 'orders 1.4.2' })).toBeVisible();
    await expect.element(page.getByRole('cell', { name: '2.5 per second' })).toBeVisible();
    expect(queriesOf(app)).toEqual([]);
  });
});

/** Waits until after the task in which the tab would ask the worker: the first task after the tab is shown. */
const shown = async () => {
  await expect.element(button('Ask the worker')).toBeVisible();
  await new Promise((resolve) => setTimeout(resolve, 100));
};

describe('the link to the Now tab on the card of a run that waits', () => {
  const WAITS = '/ns/NS/workflows/payout-eu/01997c2e-0000-7000-8000-0000000000b1';
  const link = page.getByRole('region', { name: 'Why' }).getByRole('link', { name: 'Ask the worker' });
  const answer = page.getByRole('heading', { name: 'Queries' });

  test('asks the worker at once, but not again on Back, Forward, a reload or a shared address', async () => {
    const app = await renderApp(WAITS);
    await userEvent.click(link);
    await expect.element(answer).toBeVisible();
    expect(queriesOf(app).map(({ type }) => type)).toEqual(['__temporal_workflow_metadata', '__stack_trace']);
    const { href, state } = app.history.location;
    expect(href).toBe(`${WAITS.replace('NS', app.namespace)}?tab=now`);
    // A reload keeps the history state.
    expect(state.requested).toBeUndefined();
    app.history.back();
    await expect.element(page.getByRole('tab', { name: /^History/, selected: true })).toBeVisible();
    app.history.forward();
    await shown();
    app.history.push(WAITS.replace('NS', app.namespace));
    app.history.push(href);
    await shown();
    expect(queriesOf(app)).toHaveLength(2);
    await userEvent.click(link);
    await expect.element(answer).toBeVisible();
    expect(queriesOf(app)).toHaveLength(4);
  });

  test('asks nothing if the page was reloaded before the tab appeared', async () => {
    const app = await renderApp(WAITS);
    app.history.push(NOW.replace('NS', app.namespace), { requested: requested.requested - 1 });
    await shown();
    expect(queriesOf(app)).toEqual([]);
  });

  test('is not offered without the permissions, and then the tab asks nothing', async () => {
    const { namespace, make } = personWith(['metadata', 'decode']);
    const app = await renderApp(WAITS, { namespace, session: make });
    await expect.element(page.getByText('Signal not delivered').first()).toBeVisible();
    expect(link.query()).toBeNull();
    app.history.push(NOW.replace('NS', namespace), requested);
    await expect.element(page.getByText('You may not run queries here.')).toBeVisible();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(queriesOf(app)).toEqual([]);
  });

  test('asks for a justification first where the namespace reveals payloads on demand', async () => {
    const { namespace, make } = personWith(['metadata', 'decode', 'query'], 'on-demand');
    const app = await renderApp(WAITS, { namespace, session: make });
    await userEvent.click(link);
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    expect(queriesOf(app)).toEqual([]);
    await userEvent.keyboard('{Enter}');
    await expect.element(answer).toBeVisible();
    expect(queriesOf(app).map(({ justification }) => justification)).toEqual(Array(2).fill('PAY-4417'));
  });

  test('is not offered for a run whose activity fails', async () => {
    await renderApp(NOW);
    await expect.element(page.getByText(/AdyenUnavailable/).first()).toBeVisible();
    expect(link.query()).toBeNull();
  });
});

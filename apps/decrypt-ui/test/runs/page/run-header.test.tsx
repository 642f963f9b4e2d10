import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { personWith } from '../../support/people.ts';
import { renderApp, row, RUN, until } from '../../support/render-app.tsx';

const stuck = '/ns/NS/workflows/alerts-stuck/01997c2e-a000-7000-8000-000000000001';
const failed = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';
const child = '/ns/NS/workflows/shipment-88213/01997c2e-cccc-7000-8000-000000000001';
/** Returns the text of the element with the given label. */
const textOf = (label: string) => document.querySelector(`[aria-label="${label}"]`)?.textContent ?? '';

describe('the run header', () => {
  test('leads from a run that was reset to the run that continues it', async () => {
    await renderApp('/ns/NS/workflows/alerts-reset/01997c2e-a000-7000-8000-000000000003');
    await expect.element(page.getByText('This run was reset')).toBeVisible();
    await expect.element(page.getByRole('link', { name: /^0199.*0004$/ })).toBeVisible();
  });

  test('counts plaintext payloads, and goes from one to the next', async () => {
    await renderApp(stuck);
    const button = page.getByRole('button', { name: '2 plaintext, go to the next' });
    await userEvent.click(button);
    await until(() => row('g1')?.getAttribute('aria-selected') === 'true', 'the first');
    await userEvent.click(button);
    await until(() => row('g6')?.getAttribute('aria-selected') === 'true', 'the second');
  });

  test.each([1440, 1000, 390])('shows duration, end, input and failure at %i pixels', async (width) => {
    await page.viewport(width, 844);
    await renderApp(failed);
    await expect.element(page.getByRole('status', { name: 'Failed' })).toHaveTextContent('Failed 4.2 s');
    await expect.element(page.getByText(/\d\d:\d\d:\d\d – \d\d:\d\d:\d\d/)).toBeVisible();
    await expect.element(page.getByRole('button', { name: /^input/ })).toBeVisible();
    await expect.element(page.getByRole('button', { name: /^failure card declined/ })).toBeVisible();
  });

  test('shows one lock for an input whose key is disabled', async () => {
    await renderApp('/ns/NS/workflows/alerts-retrying/01997c2e-a000-7000-8000-000000000006');
    const input = page.getByRole('button', { name: /^input Key disabled/ });
    await expect.element(input).toBeVisible();
    expect(input.element().querySelectorAll('svg.lucide-lock')).toHaveLength(1);
  });

  const longFailure = '/ns/NS/workflows/alerts-failed/01997c2e-a000-7000-8000-000000000005';

  test.each([1920, 1440, 1280, 1000])(
    'at a width of %i pixels, truncates a long failure only if no space is left',
    async (width) => {
      await page.viewport(width, 844);
      await renderApp(longFailure);
      const failure = page.getByRole('button', { name: /^failure The acquirer declined/ });
      await expect.element(failure).toBeVisible();
      const message = [...failure.element().querySelectorAll<HTMLElement>('span')].find(
        (span) => span.children.length === 0 && span.textContent?.startsWith('The acquirer'),
      )!;
      const facts = failure.element().closest('[class*="facts"]')!.getBoundingClientRect();
      const next = document.querySelector('[class*="_use_"]')!.getBoundingClientRect();
      const box = failure.element().getBoundingClientRect();
      // The key ribbon is to the right of the failure, or on the line above.
      const end = next.bottom <= box.top ? facts.right - 10 : next.left;
      const isCut = message.scrollWidth > message.clientWidth;
      expect(isCut ? end - box.right : 0).toBeLessThan(40);
      expect(box.right).toBeLessThanOrEqual(end);
      // The input's key does not overlap the next element.
      const input = page.getByRole('button', { name: /^input/ }).element();
      const badge = input.querySelector('[data-tone]')!.getBoundingClientRect();
      expect(badge.right).toBeLessThanOrEqual(input.getBoundingClientRect().right);
    },
  );

  test('shows the line of code that threw the root cause when the failure is opened', async () => {
    await page.viewport(1280, 720);
    await renderApp(longFailure);
    await userEvent.click(page.getByRole('button', { name: /^failure The acquirer declined/ }));
    const code = page.getByText('/srv/payments/src/capture.ts:88:11');
    await expect.element(code).toBeInViewport();
    const panel = page.getByRole('region', { name: 'Failure', exact: true }).element().parentElement!;
    const bounds = panel.getBoundingClientRect();
    await until(() => {
      const line = code.element().getBoundingClientRect();
      return line.top >= bounds.top && line.bottom <= bounds.bottom + 1;
    }, 'the line inside the panel');
  });

  // Windows of 1280 to 1920 pixels at a zoom of 200 %, and a tablet.
  test.each([640, 720, 800, 960, 1024])(
    'at a width of %i pixels, shows the whole id, and names its buttons',
    async (width) => {
      await page.viewport(width, 844);
      await renderApp(child);
      const heading = page.getByRole('heading', { level: 1, name: 'shipment-88213' });
      await expect.element(heading).toBeVisible();
      await expect.element(page.getByRole('button', { name: 'Compare' })).toBeVisible();
      await expect.element(page.getByRole('button', { name: 'Export' })).toBeVisible();
      await until(() => textOf('Related runs').includes('Parent'), 'the parent');
      await expect.element(page.getByRole('link', { name: 'Temporal' })).toBeVisible();
      const { scrollWidth, clientWidth } = heading.element();
      expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
      expect(document.documentElement.scrollWidth).toBe(width);
    },
  );

  test('shows the whole input and the whole failure without leaving the page', async () => {
    await renderApp(failed);
    await userEvent.click(page.getByRole('button', { name: /^input/ }));
    await until(() => textOf('Input').includes('DE02120300000000202051'), 'the input');
    const failure = page.getByRole('region', { name: 'Failure', exact: true });
    await until(() => textOf('Failure').includes('402 from acquirer, code 05'), 'the failure');
    await userEvent.click(failure.getByRole('button', { name: 'Show event 11' }));
    await until(() => row('g11')?.getAttribute('aria-selected') === 'true', 'the event');
  });

  test('shows no position for the only run of a workflow id', async () => {
    await renderApp(failed);
    const menu = page.getByRole('button', { name: /^Run:/ });
    await userEvent.click(menu);
    await expect.element(page.getByRole('menuitemradio', { name: /^Failed .*0000000000fa/ })).toBeVisible();
    expect(menu.element().textContent).toMatch(/000000fa ?run$/);
  });

  test('scrolls to the failure, below the input, when a person taps the header’s failure on a phone', async () => {
    await page.viewport(390, 664);
    await renderApp(failed);
    await userEvent.click(page.getByRole('button', { name: /^failure card declined/ }));
    const failure = page.getByRole('region', { name: 'Failure', exact: true });
    await expect.element(failure.getByRole('heading', { name: 'Failure', level: 3 })).toBeInViewport();
    const panel = failure.element().parentElement!;
    expect(panel.scrollTop).toBeGreaterThan(0);
  });
});

test('the page of a run that does not exist has a heading', async () => {
  await renderApp('/ns/NS/workflows/order-88213/00000000-0000-7000-8000-000000000000');
  await expect
    .element(page.getByRole('heading', { name: 'This run does not exist', level: 1 }))
    .toBeVisible();
});

test('a refused request is explained once, above the rows, and moves no row', async () => {
  const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}`);
  await until(() => row('g11')?.textContent?.includes('HAM-2'), 'the plaintext');
  await app.steer('refuse');
  const encodings = `/ns/${app.namespace}/workflows/every-encoding/01997c2e-0000-7000-8000-0000000000ec`;
  app.history.push(encodings);
  await expect
    .element(page.getByRole('alert').getByText(/Ask the operator of the codec server/))
    .toBeVisible();
  // The server would refuse a repeated request too.
  await expect.element(page.getByRole('button', { name: 'Retry now' })).not.toBeInTheDocument();
  expect(document.body.textContent?.match(/You may not decode in this namespace/g)).toHaveLength(1);
  const top = row('g1')!.getBoundingClientRect().top;
  await app.steer('refuse', { on: false });
  app.history.push(`/ns/${app.namespace}/workflows/order-88213/${RUN}`);
  await until(() => row('g11'), 'the other run');
  app.history.push(encodings);
  await until(() => row('g3')?.textContent?.includes('done'), 'the plaintext');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
  expect(row('g1')!.getBoundingClientRect().top).toBe(top);
});

test('a failure’s row shows its type, which Temporal stores in plaintext, to a person who may not decode', async () => {
  const { namespace, make } = personWith(['metadata']);
  await renderApp(failed, { namespace, session: make });
  const charge = await until(
    () => [...document.querySelectorAll('[data-index]')].find((each) => /charge/.test(each.textContent)),
    'the activity',
  );
  await until(() => charge.textContent.includes('CardDeclined'), 'the type');
  expect(charge.querySelector('[data-masked]')).not.toBeNull();
  expect(document.body.textContent).not.toContain('card declined');
});

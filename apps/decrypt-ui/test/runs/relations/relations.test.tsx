import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { press, renderApp, row, until } from '../../support/render-app.tsx';

const runId = (digit: string) => `01997c2e-f000-7000-8000-00000000000${digit}`;
const order = `/ns/NS/workflows/family-order/${runId('1')}`;
const fraud = `/ns/NS/workflows/family-fraud/${runId('4')}`;

/** The rows of a table, by its caption. */
const rowsOf = (title: string) =>
  [...document.querySelectorAll(`table[aria-labelledby="${title}"] tbody tr`)].map((element) =>
    (element.textContent ?? '').replace(/\s+/g, ' '),
  );

describe('a run’s relations', () => {
  test('show the whole family as a tree with a waterfall, on the page of any of its runs', async () => {
    await renderApp(`${fraud}?tab=relations`);
    await until(() => rowsOf('family-title').length === 4, 'the family');
    const rows = rowsOf('family-title');
    expect(rows.map((text) => /family-[a-z]+?(?=[A-Z]|this)/.exec(text)?.[0])).toEqual([
      'family-order',
      'family-payment',
      'family-fraud',
      'family-shipment',
    ]);
    expect(rows[2]).toContain('Failed');
    expect(rows[2]).toContain('this run');
    const bars = document.querySelectorAll('table[aria-labelledby="family-title"] tbody [data-outcome] ~ *');
    expect(bars.length).toBeGreaterThan(0);
  });

  test('collapse a branch in place', async () => {
    await renderApp(`${order}?tab=relations`);
    await until(() => rowsOf('family-title').length === 4, 'the family');
    await userEvent.click(page.getByRole('button', { name: 'Children of family-payment' }));
    await until(() => rowsOf('family-title').length === 3, 'the branch without its child');
  });

  test('show another run’s events below it, on the same time scale', async () => {
    const app = await renderApp(`${fraud}?tab=relations`);
    await until(() => rowsOf('family-title').length === 4, 'the family');
    await userEvent.click(page.getByRole('button', { name: 'Events of family-payment' }));
    await until(() => rowsOf('family-title').length > 6, 'its events');
    await expect.element(page.getByRole('columnheader', { name: 'Type or summary' })).toBeVisible();
    const rows = rowsOf('family-title');
    expect(rows[1]).toContain('family-payment');
    expect(rows.slice(2, -2).join()).toContain('FraudReview');
    // This timer was open when the run closed.
    expect(rows.find((text) => text.includes('offer-ends'))).toMatch(/18 s$/);
    expect(rows.at(-1)).toContain('family-shipment');
    expect(app.history.location.pathname).toContain('family-fraud');
    await until(() => rowsOf('family-title').join().includes('paid: true'), 'its decrypted result');
    await userEvent.click(page.getByRole('button', { name: 'Events of family-payment' }));
    await until(() => rowsOf('family-title').length === 4, 'only the runs');
  });

  test('do not scroll to events that arrive after the user has scrolled away', async () => {
    await page.viewport(1440, 360);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    await renderApp(`${order}?tab=relations`, {
      session: ({ fetch }) =>
        withoutSignIn('open', async (input, init) => {
          const url = input instanceof Request ? input.url : String(input);
          if (url.includes(`${runId('2')}/history`)) await promise;
          return fetch(input, init);
        }),
    });
    await until(() => rowsOf('chain-title').length === 2, 'all rows');
    await userEvent.click(page.getByRole('button', { name: 'Events of family-payment' }));
    await until(() => rowsOf('family-title').join().includes('Loading the events'), 'the request');
    document.querySelector('#chain-title')!.scrollIntoView();
    const { scrollTop } = page.getByRole('tabpanel').element();
    resolve(undefined);
    await until(() => rowsOf('family-title').length > 6, 'the events');
    expect(page.getByRole('tabpanel').element().scrollTop).toBe(scrollTop);
  });

  test('link to the family’s other runs', async () => {
    const app = await renderApp(`${order}?tab=relations`);
    await until(() => rowsOf('family-title').length === 4, 'the family');
    await userEvent.click(page.getByRole('link', { name: 'family-fraud' }));
    await expect.element(page.getByRole('heading', { name: 'family-fraud', level: 1 })).toBeVisible();
    expect(app.history.location.pathname).toContain(runId('4'));
  });

  test('name the other runs of the workflow id with their relation to this run', async () => {
    await renderApp(`${order}?tab=relations`);
    await until(() => rowsOf('chain-title').length === 2, 'both runs');
    expect(rowsOf('chain-title')[0]).toContain('This run');
    await until(() => rowsOf('chain-title')[1]?.includes('Continued from'), 'the relation');
  });

  test('show the runs of the workflow id as bars on one time scale', async () => {
    await renderApp(`${order}?tab=relations`);
    await until(() => rowsOf('chain-title').length === 2, 'both runs');
    const bars = await until(() => {
      const rows = [...document.querySelectorAll('table[aria-labelledby="chain-title"] tbody tr')];
      const found = rows.map((element) => element.querySelector('[aria-hidden] i')?.getBoundingClientRect());
      return found.every((box) => box && box.width > 1) && found;
    }, 'a bar in each row');
    const [later, earlier] = bars.map((box) => box!);
    expect(earlier!.right).toBeLessThanOrEqual(later!.left + 1);
  });

  test.each([390, 320])(
    'fit a window of %i px, so that the runs of the workflow id scroll only vertically',
    async (width) => {
      await renderApp(`${order}?tab=relations`);
      await page.viewport(width, 844);
      await until(() => rowsOf('chain-title')[1]?.includes('Continued from'), 'both runs');
      const table = document.querySelector('table[aria-labelledby="chain-title"]')!;
      await until(() => table.querySelectorAll('thead th').length === 4, 'the columns of a phone');
      expect(table.parentElement!.scrollWidth).toBe(table.parentElement!.clientWidth);
      for (const cell of table.querySelectorAll('tbody td')) {
        expect(cell.scrollWidth, cell.textContent).toBeLessThanOrEqual(cell.clientWidth);
        expect(cell.getBoundingClientRect().right).toBeLessThanOrEqual(width);
      }
      expect(rowsOf('chain-title')[0]).toContain(`…${runId('1').slice(-8)}This run`);
      // On a phone the status is a glyph, with a name for screen readers.
      expect(rowsOf('chain-title')[1]).toMatch(/Continued|Completed/);
    },
  );

  test('name the receivers of signals and the other side of a Nexus operation', async () => {
    await renderApp(`${order}?tab=relations`);
    await expect.element(page.getByRole('link', { name: 'ledger-prod / booking-12' })).toBeVisible();
    await expect.element(page.getByRole('link', { name: 'ledger-7' })).toBeVisible();
  });
});

describe('links between runs', () => {
  test('lead from the header to the event of the parent that started this run', async () => {
    const app = await renderApp(fraud);
    await userEvent.click(page.getByRole('link', { name: 'Parent family-payment' }));
    await until(() => app.history.location.pathname.includes(runId('2')), 'the parent');
    await until(() => row('g2')?.getAttribute('aria-selected') === 'true', 'the event of the child');
  });

  test('lead to the parent with a keyboard shortcut', async () => {
    const app = await renderApp(fraud);
    await expect.element(page.getByRole('link', { name: 'Parent family-payment' })).toBeVisible();
    press('u');
    await until(() => app.history.location.pathname.includes(runId('2')), 'the parent');
  });

  test('lead from a row to the child', async () => {
    const app = await renderApp(order);
    const child = await until(() => row('g2')?.querySelector('a'), 'the link in the row');
    await userEvent.click(child);
    await until(() => app.history.location.pathname.includes('family-payment'), 'the child');
  });

  test('lead from the inspector to the child, with a click and with a keyboard shortcut', async () => {
    const app = await renderApp(`${order}?ev=2`);
    await expect.element(page.getByRole('link', { name: 'Child family-payment' })).toBeVisible();
    press('o');
    await until(() => app.history.location.pathname.includes(runId('2')), 'the child');
  });

  test('lead to the earlier run of a chain, which links back', async () => {
    await renderApp(order);
    await userEvent.click(page.getByRole('link', { name: /^Continued from/ }));
    await expect.element(page.getByRole('link', { name: /^Continued as/ }).first()).toBeVisible();
  });
});

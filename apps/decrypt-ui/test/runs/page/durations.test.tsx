import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { renderApp, row, until } from '../../support/render-app.tsx';

const slow = '/ns/NS/workflows/long-charge/01997c2e-0000-7000-8000-0000000000fb';
const failed = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';
const batch = '/ns/NS/workflows/alerts-batch/01997c2e-a000-7000-8000-000000000007';

/** The durations of the completed payments, which are every eighth run of the fixture's 340 listed runs. */
const payments = Array.from({ length: 43 }, (_, index) => 1900 + 731 * ((8 * index) % 11)).toSorted(
  (a, b) => a - b,
);
const median = `${(payments[21]! / 1000).toFixed(1)} s`;
const p95 = `${(payments[40]! / 1000).toFixed(1)} s`;

const card = () => document.querySelector('section[aria-label="Why"]')?.textContent.replaceAll(/\s+/g, ' ');
const panel = () => document.querySelector('[role="tabpanel"]')?.textContent.replaceAll(/\s+/g, ' ') ?? '';

const cells = () =>
  [...document.querySelectorAll('[role="tabpanel"] section:last-child tbody td')].map(
    (cell) => cell.textContent,
  );

describe('how long runs of a type take', () => {
  test('is shown in the header, and requested once per type', async () => {
    const app = await renderApp(failed);
    await expect.element(page.getByText(`median ${median} of the last 43 runs`)).toBeVisible();
    app.history.push(slow.replace('NS', app.namespace));
    await until(() => card()?.includes('Slower'), 'the card of another run');
    await expect.element(page.getByText(`median ${median} of the last 43 runs`)).toBeVisible();
    const asked = app.asked.filter(({ url }) => url.includes('pageSize=51'));
    expect(asked).toHaveLength(1);
  });

  test('lets a slow run’s card name its longest step and offer a comparison with another run', async () => {
    const app = await renderApp(slow);
    await until(() => card()?.includes('waiting for a worker'), 'the step');
    expect(card()).toContain(
      `Slower than usual: 1 min, median ${median} of the last 43 runs · activity charge · the longest step on the critical path: 40 s waiting for a worker, 19.8 s working`,
    );
    await userEvent.click(
      page.getByRole('region', { name: 'Why' }).getByRole('button', { name: 'Last good run' }),
    );
    await until(() => app.history.location.pathname.endsWith('/compare'), 'the comparison');
    expect(app.history.location.search).not.toContain('0000000000fb');
  });
});

describe('the Durations tab', () => {
  test('compares the run with others of its type, as a chart and as text', async () => {
    await renderApp(`${slow}?tab=durations`);
    await until(() => panel().includes('longer than 43 of them'), 'the place of the run');
    for (const text of ['The last 43 other completed runs of ChargePayment', '1.9 s', median, p95, '1 m'])
      expect(panel()).toContain(text);
    expect(document.querySelectorAll('[role="tabpanel"] svg path[class*="own"]')).toHaveLength(1);
  });

  test('says when the completed runs are loading, have failed to load, or are too few', async () => {
    const loading = Promise.withResolvers<void>();
    const error = { code: 'temporal_unavailable', message: 'Temporal does not answer.' };
    let failing = true;
    const answer = async () => {
      await loading.promise;
      return failing ? Response.json({ error }, { status: 503 }) : Response.json({ workflows: [] });
    };
    await renderApp(`${slow}?tab=durations`, {
      session: ({ fetch }) =>
        withoutSignIn('open', (input, init) => {
          const url = input instanceof Request ? input.url : String(input);
          return url.includes('pageSize=51') ? answer() : fetch(input, init);
        }),
    });
    await until(() => panel().includes('Loading the completed runs…'), 'the request');
    expect(panel()).not.toContain('Too few');
    loading.resolve();
    await expect.element(page.getByText(/could not be loaded: Temporal does not answer/)).toBeVisible();
    expect(panel()).not.toContain('Too few');
    failing = false;
    await userEvent.click(page.getByRole('button', { name: 'Try again' }));
    await expect
      .element(page.getByText('Too few completed runs of this type to compare with.'))
      .toBeVisible();
  });

  test('lists the activity types, and leads to a type’s activities and to its slowest activity', async () => {
    const app = await renderApp(`${batch}?tab=durations`);
    const type = page.getByRole('button', { name: 'pay', exact: true });
    await expect.element(type).toBeVisible();
    // The first response covers the first 200 events.
    await until(() => cells()[0] === '901', 'all activities');
    expect(cells().slice(1, 6)).toEqual(['1', '', '60 ms', '60 ms', '60 ms']);
    await userEvent.click(type);
    await until(() => row('g2'), 'the activities');
    expect(row('g1')).toBeNull();
    expect(app.history.location.search).toBe('?type=pay');
    await userEvent.click(page.getByRole('button', { name: 'Filtered by pay. Show all events' }));
    await until(() => row('g1'), 'all events');
  });

  test('shows all events of a type, and no row for a type that the run does not have', async () => {
    const app = await renderApp(`${slow}?type=charge&view=all`);
    await until(() => row('e5'), 'the events');
    expect(document.querySelectorAll('[role="treegrid"] [data-key]')).toHaveLength(3);
    app.history.push(`${slow}?type=char`.replace('NS', app.namespace));
    await expect.element(page.getByText('No activity of this type')).toBeVisible();
  });
});

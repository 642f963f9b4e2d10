import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../src/session/sign-in/session.ts';
import { newNamespace, person, personWith, sessionOf } from '../support/people.ts';
import { renderApp, until } from '../support/render-app.tsx';

const body = () => document.body.textContent ?? '';
const cells = () =>
  [...document.querySelectorAll('tbody tr')].map((row) =>
    [...row.querySelectorAll('td')].map(({ textContent }) => textContent.replace(/\s+/g, ' ').trim()),
  );

describe('a namespace’s schedules', () => {
  test('are listed with their rule in words, their state, and links to their last runs', async () => {
    const app = await renderApp('/ns/NS/schedules');
    await until(() => cells().length === 3, 'the schedules');
    expect(document.querySelector('footer')!.textContent).toMatch(/^3 schedules/);
    const [daily, hourly, manual] = cells();
    expect(daily!.slice(0, 4)).toEqual([
      'daily-report',
      'DailyReport',
      'At 09:30 Monday to Friday (30 9 * * MON-FRI) · Time zone Europe/Berlin',
      'Active',
    ]);
    expect(hourly).toContain('Paused until the provider is back');
    // The paused schedule shows no next run.
    expect([hourly!.at(-1), manual!.at(-1)]).toEqual(['None', 'None']);
    // The schedule's last action names no run, so there is no link.
    expect(manual!.at(-2)).toBe('30 Nov 08:30:00');
    expect(document.querySelector('tbody tr:last-child td:nth-child(5) a')).toBeNull();
    expect(app.asked.some(({ url }) => url.endsWith(':decode'))).toBe(false);
    await userEvent.click(page.getByRole('link', { name: 'hourly sync/eu' }));
    await expect.element(page.getByRole('heading', { name: 'hourly sync/eu', level: 1 })).toBeVisible();
  });

  test('show their decrypted arguments, and lead to their runs', async () => {
    const app = await renderApp('/ns/NS/schedules/daily-report');
    await expect.element(page.getByText('"Mira Kowalska"')).toBeVisible();
    expect(body()).toContain('Except minute 0 of every hour in December');
    await userEvent.click(page.getByRole('link', { name: 'order-88213' }));
    await until(() => app.history.location.pathname.includes('/workflows/order-88213/'), 'the run');
  });

  test('show why they started no runs, and stay on the page with a notice if a refresh fails', async () => {
    let away = false;
    const app = await renderApp('/ns/NS/schedules/manual', {
      session: ({ fetch }) =>
        withoutSignIn('open', (input, init) => {
          const url = input instanceof Request ? input.url : String(input);
          if (!away || !url.endsWith('/schedules/manual')) return fetch(input, init);
          const error = { code: 'temporal_unavailable', message: 'Temporal does not answer.' };
          return Promise.resolve(Response.json({ error }, { status: 503 }));
        }),
    });
    await expect.element(page.getByText('None: the schedule has no actions left.')).toBeVisible();
    const facts = [...document.querySelectorAll('dl > div')].map(({ children: [name, value] }) => [
      name!.textContent,
      value!.textContent,
    ]);
    expect(facts).toEqual([
      ['Starts', 'DailyReport'],
      ['Task queue', 'reports'],
      ['Overlap policy', 'Skip'],
      ['After a failed run', 'Pauses itself'],
      ['Remaining actions', '0'],
      ['Missed: outside the catch-up window', '3'],
      ['Skipped: a run was still open', '1,204'],
    ]);
    expect(body()).toContain('No run recorded');
    expect(page.getByRole('link', { name: 'order-88213' }).elements()).toHaveLength(2);
    away = true;
    void app.queries.refetchQueries({ queryKey: ['schedule'] });
    await expect.element(page.getByText('The schedule could not be refreshed')).toBeVisible();
    await expect.element(page.getByRole('heading', { name: 'manual', level: 1 })).toBeVisible();
  });

  test('hide their arguments until the person gives a justification, if one is required', async () => {
    const namespace = newNamespace();
    const me = person([
      { name: namespace, permissions: ['metadata', 'decode'], reveal: 'on-demand', revealMinutes: 15 },
    ]);
    const app = await renderApp('/ns/NS/schedules/daily-report', { namespace, session: sessionOf(me).make });
    await userEvent.click(page.getByRole('button', { name: 'Reveal Input' }));
    expect(app.asked.some(({ url }) => url.endsWith(':decode'))).toBe(false);
    await expect.element(page.getByText('This schedule')).toBeVisible();
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByText('"Mira Kowalska"')).toBeVisible();
    expect(app.asked.findLast(({ url }) => url.endsWith(':decode'))!.body).toContain('PAY-4417');
    expect(body()).not.toContain('finance');
  });

  test('show no payload to a person who may read metadata only', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp('/ns/NS/schedules/daily-report', { namespace, session: make });
    await expect.element(page.getByText('You can see metadata, not payloads.')).toBeVisible();
    expect(app.asked.some(({ url }) => url.endsWith(':decode'))).toBe(false);
  });
});

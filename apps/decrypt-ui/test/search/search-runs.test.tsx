import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { expiring, personWith } from '../support/people.ts';
import { press, renderApp, row, until } from '../support/render-app.tsx';

const panel = () => document.querySelector('[aria-label="Search in payloads"]');
const text = () => panel()?.textContent ?? '';
const found = () => [...document.querySelectorAll<HTMLAnchorElement>('[aria-label="Runs with matches"] a')];
const hits = () => found().filter((link) => link.querySelector('mark'));
const textOfHits = () =>
  hits()
    .map((hit) => hit.textContent)
    .join();
const findField = () => document.querySelector<HTMLInputElement>('[aria-label="Find in decrypted payloads"]');
const rows = () => document.querySelectorAll('[role="treegrid"] [data-index]');
const searches = (app: { asked: { url: string; body: string }[] }) =>
  app.asked.filter(({ url }) => url.endsWith('workflows:search')).map(({ body }) => JSON.parse(body));

async function open(path = '/ns/NS/workflows', options: Parameters<typeof renderApp>[1] = {}) {
  const app = await renderApp(path, options);
  await until(() => rows().length > 0, 'the rows');
  press('f', document.body, { ctrlKey: true, shiftKey: true });
  await until(() => document.activeElement?.closest('[aria-label="Search in payloads"]'), 'the field');
  return app;
}

describe('a search in all listed runs’ payloads', () => {
  test('loses no key that the user types right after the shortcut, even while the panel loads', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 0, 'the rows');
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    // Does not wait for the panel: the keys arrive in the same task as the command, or in the next task.
    await Promise.resolve();
    await userEvent.keyboard('gel');
    expect(document.activeElement).toHaveValue('gel');
    await until(() => panel()?.getAttribute('aria-busy') !== 'true', 'the panel');
    expect(document.activeElement).toHaveValue('gel');
    await userEvent.keyboard('x{Backspace}{Enter}');
    await until(() => searches(app).length === 1, 'the search');
    expect(searches(app)[0]).toMatchObject({ text: 'gel' });
  });

  test('explains itself, searches on request, and lists runs with matches, progress and cost', async () => {
    const app = await open();
    await until(() => text().includes('all 345 runs that match the filter'), 'the offer');
    await userEvent.keyboard('vogel');
    expect(searches(app)).toEqual([]);
    await userEvent.keyboard('{Enter}');
    await until(() => /(?<! of )345 runs, [\d,]+ payloads searched/.test(text()), 'the whole list');
    expect(text()).toMatch(/\d+ match(es)? in \d+ runs?/);
    expect(text()).toContain('1 Cloud KMS call');
    expect(text()).toMatch(/\d\d payloads could not be searched: .*Key destroyed \(1\), /);
    expect(found()[0]!.textContent).toMatch(/order-88213OrderFulfilment, \d+ matches, started .*\d\d:\d\d/);
    expect(hits()[0]!.textContent).toContain('/customer/');
    expect(hits()[0]!.querySelector('mark')!.textContent).toMatch(/vogel/i);
    // The page shows the payloads, so it also shows the text around a match.
    await until(() => textOfHits().includes('mail.example'), 'the text around a match');
    expect(searches(app)).toEqual([{ text: 'vogel', caseSensitive: false, query: '' }]);
  });

  test('masks the text around a match for a person who may not decode', async () => {
    const { namespace, make } = personWith(['metadata', 'search']);
    const app = await open('/ns/NS/workflows', { namespace, session: make });
    await userEvent.keyboard('vogel{Enter}');
    await until(() => /(?<! of )345 runs, [\d,]+ payloads searched/.test(text()), 'the whole list');
    expect(hits()[0]!.querySelector('[aria-label="masked"]')).not.toBeNull();
    expect(textOfHits()).not.toContain('mail.example');
    expect(app.refs()).toEqual([]);
  });

  test('lists a run’s first matches, and the other matches on request', async () => {
    await open();
    await userEvent.keyboard('e{Enter}');
    await until(() => /(?<! of )345 runs, [\d,]+ payloads searched/.test(text()), 'the whole list');
    const first = found()[0]!.href;
    const ofFirst = () => hits().filter((hit) => hit.href.split('?')[0] === first.split('?')[0]);
    expect(ofFirst()).toHaveLength(3);
    const more = page.getByRole('button', { name: /^\d+ more matches in order-88213$/ });
    await userEvent.click(more);
    await until(() => ofFirst().length > 3, 'the other matches');
    await until(() => document.activeElement === ofFirst()[3], 'the focus on the next match');
    expect(more.query()).toBeNull();
  });

  test('marks the runs with matches in the list', async () => {
    const app = await open('/ns/NS/workflows?q=order-88213');
    await userEvent.keyboard('vogel{Enter}');
    await until(() => hits().length > 0, 'the matches');
    const listed = document.querySelector('[role="treegrid"] [data-index]')!;
    await until(() => /order-88213\d+ match/.test(listed.textContent ?? ''), 'the mark');
    app.history.push(`/ns/${app.namespace}/workflows`);
    await until(() => text().includes('The filter has changed since this search'), 'the note');
    await until(() => rows().length > 10, 'all rows');
    expect([...rows()].map((each) => each.textContent).join('\n')).not.toMatch(/\d+ match/);
  });

  test('searches only runs that match the filter, and says when the filter has changed', async () => {
    const app = await open('/ns/NS/workflows?q=ExecutionStatus+%3D+"Failed"');
    await userEvent.keyboard('acme{Enter}');
    await until(() => searches(app).length === 1, 'the request');
    expect(searches(app)[0]).toMatchObject({ query: 'ExecutionStatus = "Failed"' });
    await until(() => /(?<! of |\d)\d+ runs, \d+ payloads searched/.test(text()), 'the end');
    app.history.push(`/ns/${app.namespace}/workflows`);
    await until(() => text().includes('The filter has changed since this search'), 'the note');
    await userEvent.click(page.getByRole('button', { name: 'Search again' }));
    await until(() => searches(app).length === 2, 'the second request');
    expect(searches(app)[1]).toMatchObject({ query: '' });
  });

  test('opens a run at the match with Find filled in, without another search, and Back restores the results', async () => {
    const app = await open();
    await userEvent.keyboard('vogel{Enter}');
    // Waits until the text around the match has replaced the masks.
    await until(() => hits()[0] && !hits()[0]!.querySelector('[aria-label="masked"]'), 'the matches');
    const count = hits().filter((hit) => hit.href === hits()[0]!.href).length;
    expect(count).toBeGreaterThan(0);
    await userEvent.click(hits()[0]!);
    await until(() => row('g1'), 'the history');
    await until(() => findField()?.value === 'vogel', 'the text');
    const list = await until(
      () => document.querySelector('[aria-label="Matches"]'),
      'the matches of the run',
    );
    expect(list.querySelector('[aria-current="true"] mark')!.textContent).toMatch(/vogel/i);
    await until(() => document.querySelector('[data-inspector]'), 'the event');
    expect(document.activeElement).not.toBe(findField());
    expect(app.history.location.search).toMatch(/ev=\d+/);
    expect(app.asked.some(({ url }) => url.endsWith('history:search'))).toBe(false);
    app.history.back();
    await until(() => hits().length > 0, 'the results');
    expect(searches(app)).toHaveLength(1);
  });

  test('never puts its text into an address, the title, the browser’s storage or the Query cache', async () => {
    const app = await open();
    await userEvent.keyboard('vogel{Enter}');
    // Waits until the text around the match has replaced the masks.
    await until(() => hits()[0] && !hits()[0]!.querySelector('[aria-label="masked"]'), 'the matches');
    await userEvent.click(hits()[0]!);
    await until(() => row('g1'), 'the history');
    const kept = [
      app.asked.map(({ url }) => url),
      app.history.location.href,
      app.history.location.state,
      location.href,
      document.title,
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      app.queries
        .getQueryCache()
        .getAll()
        .map(({ queryKey, state }) => [queryKey, state.data]),
    ];
    expect(JSON.stringify(kept)).not.toMatch(/vogel/i);
  });

  test('stops on Escape, and later continues after the last searched run', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 0, 'the rows');
    await app.steer('hold', { count: 20 });
    await userEvent.click(page.getByRole('button', { name: 'Search payloads' }));
    await until(() => document.activeElement?.closest('[aria-label="Search in payloads"]'), 'the field');
    await userEvent.keyboard('e{Enter}');
    await until(() => found().length > 2, 'the first runs');
    expect(page.getByRole('progressbar', { name: 'Searching payloads' }).query()).not.toBeNull();
    await userEvent.keyboard('{Escape}');
    await until(() => /Stopped after [\d,]+ of 345 runs/.test(text()), 'the stop');
    await app.steer('hold', { on: false });
    await userEvent.click(page.getByRole('button', { name: 'Continue' }));
    await until(() => /(?<! of )345 runs, [\d,]+ payloads searched/.test(text()), 'the whole list');
    expect(searches(app)[1].after).toMatch(/^\./);
  });

  test('moves from match to match with N', async () => {
    await open();
    await userEvent.keyboard('vogel{Enter}');
    await until(() => hits().length > 1, 'the matches');
    // Leaves the field, because it accepts letters.
    hits()[0]!.focus();
    press('n');
    await until(() => document.activeElement === hits()[0], 'the first match');
    press('n');
    await until(() => document.activeElement === hits()[1], 'the second match');
  });

  test('says during the search and after a stop that it has found nothing so far', async () => {
    const app = await open();
    await app.steer('hold', { count: 20 });
    await userEvent.keyboard('no such text{Enter}');
    await until(() => text().includes('No match so far'), 'the state');
    await userEvent.keyboard('{Escape}');
    await until(() => /Stopped after [\d,]+ of 345 runs/.test(text()), 'the stop');
    expect(text()).toContain('No match so far');
  });

  test('says that no payload contains the text', async () => {
    await open();
    await userEvent.keyboard('no such text{Enter}');
    await until(() => text().includes('No payload of 345 runs contains this text'), 'the answer');
    expect(text()).toContain('Payloads that could not be searched may contain the text.');
  });

  test('asks for a justification if the namespace requires one', async () => {
    const { namespace, make } = personWith(['metadata', 'decode', 'search'], 'on-demand');
    const app = await open('/ns/NS/workflows', { namespace, session: make });
    await userEvent.keyboard('vogel{Enter}');
    expect(searches(app)).toEqual([]);
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => hits().length > 0, 'the matches');
    expect(searches(app)[0]).toMatchObject({ justification: 'PAY-4417' });
  });

  test('asks for a justification after the server has refused a request without one', async () => {
    const app = await open();
    await app.steer('justify', { on: true });
    await userEvent.keyboard('vogel{Enter}');
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => hits().length > 0, 'the matches');
    expect(searches(app)[1]).toMatchObject({ justification: 'PAY-4417' });
  });

  test('requests nothing for a person who may not search, and names the permission that they need', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp('/ns/NS/workflows', { namespace, session: make });
    await until(() => rows().length > 0, 'the rows');
    await userEvent.click(page.getByRole('button', { name: 'Search payloads' }));
    await until(() => text().includes(`You may not search in the payloads of ${namespace}`), 'the reason');
    expect(searches(app)).toEqual([]);
  });

  test('hides its results once the sign-in expires, and shows them again after a new sign-in', async () => {
    const { namespace, ...signedIn } = personWith(['metadata', 'search']);
    const { make, expire, permit } = expiring(signedIn);
    const app = await open('/ns/NS/workflows', { namespace, session: make });
    await userEvent.keyboard('vogel{Enter}');
    await until(() => hits().length > 0, 'the matches');
    expire();
    void app.queries.refetchQueries({ queryKey: ['health'] });
    await until(() => text().includes('The results are hidden until you sign in again'), 'the note');
    expect(hits()).toEqual([]);
    permit();
    await userEvent.click(page.getByRole('button', { name: 'Sign in again' }));
    await until(() => hits().length > 0, 'the matches again');
    expect(searches(app)).toHaveLength(1);
  });

  test('explains an outage, and repeats the search on request', async () => {
    const app = await open();
    await app.steer('outage');
    await userEvent.keyboard('vogel{Enter}');
    await until(() => text().includes('Temporal does not answer; try again.'), 'the reason');
    await app.steer('outage', { on: false });
    await expect.element(page.getByRole('button', { name: 'Try again' })).toBeVisible();
    await userEvent.keyboard('{Enter}');
    await until(() => hits().length > 0, 'the matches');
  });

  test('covers the list on a phone, and forgets its results when it is closed', async () => {
    await page.viewport(390, 844);
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 0, 'the rows');
    await userEvent.click(page.getByRole('button', { name: 'Search payloads' }));
    await until(() => document.activeElement?.closest('[aria-label="Search in payloads"]'), 'the field');
    await userEvent.keyboard('vogel{Enter}');
    await until(() => hits().length > 0, 'the matches');
    expect(document.querySelector('[role="treegrid"]')!.closest('[inert]')).not.toBeNull();
    const main = document.querySelector('main')!.getBoundingClientRect();
    expect(panel()!.getBoundingClientRect()).toMatchObject({ top: main.top, bottom: main.bottom });
    await userEvent.click(page.getByRole('button', { name: 'Close the search' }));
    await until(() => panel() === null, 'the list');
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => panel(), 'the panel');
    expect(hits()).toEqual([]);
    expect(searches(app)).toHaveLength(1);
  });
});

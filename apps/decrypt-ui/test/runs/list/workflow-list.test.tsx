import { progressRequest } from '@temporal-kms/codec-api';
import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { setPreferences } from '../../../src/ui/preferences/preferences.ts';
import { press, renderApp, until } from '../../support/render-app.tsx';

const grid = () => document.querySelector('[role="treegrid"]')!;
const rows = () => [...document.querySelectorAll<HTMLElement>('[role="treegrid"] [data-index]')];
const ids = () => rows().map((row) => row.querySelector('a')?.textContent);

const queryOf = (app: { history: { location: { search: string } } }) =>
  new URLSearchParams(app.history.location.search).get('q') ?? '';

const heads = () => [...document.querySelectorAll('[role="columnheader"]')].map((head) => head.textContent);
const rowOf = (id: string) => rows().find((row) => row.textContent?.includes(id))?.textContent;
const activeIndex = () => Number(document.activeElement?.getAttribute('data-index') ?? 0);

/** Returns whether a query's data was loaded more than 200 ms ago, so that the page shows it by now. */
const isShown = ({ dataUpdatedAt: at }: { dataUpdatedAt: number }) => at > 0 && Date.now() - at > 200;

/** Opens the list with the given columns in a window of the given width. Returns the columns' widths. */
async function widthsIn(window: number, cols: string) {
  await page.viewport(window, 900);
  const { screen } = await renderApp(`/ns/NS/workflows?cols=${cols}`);
  await until(() => rows().length > 10, 'the rows');
  const widths = Object.fromEntries(
    [...document.querySelectorAll<HTMLElement>('[role="columnheader"]')].map((head) => [
      head.dataset['column'],
      Math.round(head.getBoundingClientRect().width),
    ]),
  );
  await screen.unmount();
  return widths;
}

const height = () => rows()[0]!.getBoundingClientRect().height;

describe('the workflow list', () => {
  test('shows the number of runs and each run’s status, type and size, and on request the key versions of its memo', async () => {
    await renderApp('/ns/NS/workflows?cols=status,id,type,size,keys');
    await until(() => rows().length > 10, 'the rows');
    const reason = rows().find((row) => row.textContent?.includes('every-reason'))!;
    expect(reason.textContent).toContain('Completed');
    expect(reason.textContent).toContain('KycVerification');
    expect(reason.textContent).toContain('v3 disabled');
    await until(() => document.body.textContent?.includes('345'), 'the total');
    expect(grid().getAttribute('aria-rowcount')).toBe('346');
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await until(() => heads().includes('Duration'), 'the usual columns');
    expect(heads()).not.toContain('Memo keys');
    expect(document.body.textContent).not.toContain('v3 disabled');
  });

  test('loads more runs while the user scrolls, and keeps few rows in the document', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await until(() => {
      grid().scrollTop = grid().scrollHeight;
      return document.body.textContent?.includes('345 of 345 loaded');
    }, 'all rows');
    expect(rows().length).toBeLessThan(70);
  });

  test('counts new runs, but moves no row until the user asks', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => ids().includes('order-88213'), 'the rows');
    const before = ids();
    // Completes the list's first request; otherwise, the next request would share the first response, which may lack
    // the new runs.
    await app.queries.refetchQueries({ queryKey: ['newest'] });
    await app.steer('start', { count: 2 });
    await app.queries.refetchQueries({ queryKey: ['newest'] });
    const pill = page.getByRole('button', { name: '2 new' });
    await expect.element(pill).toBeVisible();
    expect(ids()).toEqual(before);
    await pill.click();
    await until(() => ids()[0]?.startsWith('new-'), 'the new rows');
  });

  test('filters by status, and puts the filter into the address', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await page.getByRole('button', { name: /^Failed/ }).click();
    await until(
      () => rows().length > 0 && rows().every((row) => row.textContent?.includes('Failed')),
      'only failed runs',
    );
    expect(decodeURIComponent(app.history.location.search)).toContain('q=ExecutionStatus+=+"Failed"');
  });

  test('shows a status only if the filter includes it or a run has it, and shows no count that is zero', async () => {
    await renderApp('/ns/NS/workflows?q=ExecutionStatus+%3D+"Terminated"');
    const group = page.getByRole('group', { name: 'Filter by status' });
    await expect.element(group.getByRole('button', { name: /^Completed [\d,]+$/ })).toBeVisible();
    await expect.element(group.getByRole('button', { name: /^Terminated$/ })).toBeVisible();
    expect(group.getByRole('button', { name: /^Paused/ }).query()).toBeNull();
    expect(group.element().textContent).not.toMatch(/[a-z]0$|[a-z]0[A-Z]/);
  });

  test('shows no zero next to a view without runs', async () => {
    const app = await renderApp('/ns/empty/workflows', { namespace: 'empty' });
    const counts = () => app.queries.getQueryCache().findAll({ queryKey: ['count'] });
    await until(() => counts().length > 2 && counts().every(({ state }) => isShown(state)), 'the counts');
    expect(page.getByRole('navigation', { name: 'Views' }).element().textContent).toBe(
      'AllRunningFailed todayTask failures',
    );
  });

  test('finds runs by the start of a workflow id, and offers to clear a filter without matches', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('/');
    await userEvent.keyboard('refund{Enter}');
    await until(() => rows().length > 0 && ids().every((id) => id?.startsWith('refund')), 'refunds');
    await page.getByRole('button', { name: 'Clear filter' }).click();
    press('/');
    await userEvent.keyboard('nothing-like-it{Enter}');
    await until(
      () =>
        document.body.textContent?.includes(
          'No workflows match Id\u00a0or\u00a0type begins with nothing-like-it',
        ),
      'the reason',
    );
    await page.getByRole('button', { name: 'Clear filter' }).last().click();
    await until(() => rows().length > 10, 'all rows again');
  });

  test('shows Temporal’s message about an invalid query below the field', async () => {
    await renderApp('/ns/NS/workflows?q=ExecutionStatus%20%3D%20Faild');
    await until(
      () => document.querySelector('[role="alert"]')?.textContent?.includes('Did you mean Failed?'),
      'the answer',
    );
  });

  test('moves with J and K, and opens a run with Enter', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('j');
    await until(() => document.activeElement === rows()[0], 'the focus on the first row');
    press('j');
    await until(() => document.activeElement === rows()[1], 'the focus on the second row');
    press('j');
    await until(() => document.activeElement === rows()[2], 'the focus on the third row');
    press('k');
    await until(() => document.activeElement === rows()[1], 'the focus on the second row again');
    const id = document.activeElement!.querySelector('a')!.textContent;
    press('Enter');
    await until(() => app.history.location.pathname.includes(`/workflows/${id}/`), 'the run');
    await until(() => document.activeElement?.tagName === 'H1', 'the focus on the heading of the run');
    expect(document.activeElement!.textContent).toBe(id);
    app.history.back();
    await until(() => document.activeElement?.querySelector('a')?.textContent === id, 'the focus on its row');
  });

  test('applies a word’s first suggestion on Enter, and reopens the suggestions after a choice with the mouse', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('/');
    await userEvent.keyboard('stat{Enter}fail{Enter}');
    await until(() => queryOf(app) === 'ExecutionStatus = "Failed"', 'the status');
    await userEvent.keyboard('type{Enter}');
    await userEvent.click(page.getByRole('option', { name: 'Type is RefundSaga' }));
    await until(() => queryOf(app).endsWith('AND WorkflowType = "RefundSaga"'), 'the type');
    await expect.element(page.getByRole('option').first()).not.toBeInTheDocument();
    await userEvent.click(page.getByRole('combobox', { name: 'Filter workflows' }));
    await expect.element(page.getByRole('option').first()).toBeVisible();
  });

  test('offers all types that Temporal lists, even if no loaded row has them', async () => {
    const app = await renderApp('/ns/NS/workflows?q=refund');
    await until(() => rows().length > 0, 'the rows');
    expect(app.asked.some(({ url }) => url.includes('workflows:types'))).toBe(false);
    press('/');
    await userEvent.keyboard('type{Enter}kyc');
    await userEvent.click(page.getByRole('option', { name: 'Type is KycVerification' }));
    await until(() => queryOf(app).endsWith('AND WorkflowType = "KycVerification"'), 'the type');
    expect(app.asked.filter(({ url }) => url.includes('workflows:types'))).toHaveLength(1);
  });

  test('rejects text that is not a time, and does not save a query that Temporal rejects', async () => {
    const app = await renderApp('/ns/NS/workflows?q=ExecutionStatus%20%3D%20Faild');
    await until(() => document.querySelector('[role="alert"]'), 'the answer');
    await expect.element(page.getByRole('button', { name: 'Save this view' })).toBeDisabled();
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await until(() => rows().length > 10, 'the rows');
    press('/');
    await userEvent.keyboard('started{Enter}yesterday{Enter}');
    await expect
      .element(page.getByText('Not a time. Write -24h, today or 2026-11-24T13:00:00Z.'))
      .toBeVisible();
    expect(queryOf(app)).toBe('');
  });

  test('limits the list to a recent period with one click, and removes the limit with another click', async () => {
    const app = await renderApp('/ns/NS/workflows?q=refund');
    await until(() => rows().length > 0, 'the rows');
    const hour = page.getByRole('button', { name: 'Last hour' });
    await userEvent.click(hour);
    await until(() => queryOf(app).endsWith('AND StartTime >= "-1h"'), 'the time');
    await expect.element(hour).toHaveAttribute('aria-pressed', 'true');
    await userEvent.click(page.getByRole('button', { name: '7 d', exact: true }));
    await until(() => queryOf(app).endsWith('AND StartTime >= "-7d"'), 'the other time');
    await userEvent.click(page.getByRole('button', { name: '7 d', exact: true }));
    await until(() => !queryOf(app).includes('StartTime'), 'no time');
  });

  test('adds, edits and removes conditions, which the address contains as one query', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('/');
    await userEvent.keyboard('stat');
    await userEvent.click(page.getByRole('option', { name: /^Status/ }));
    await userEvent.keyboard('fail{Enter}');
    await until(() => queryOf(app) === 'ExecutionStatus = "Failed"', 'the query');
    await userEvent.keyboard('TaskQueue != "a"{Enter}');
    await until(() => queryOf(app) === 'ExecutionStatus = "Failed" AND TaskQueue != "a"', 'both conditions');
    await page.getByRole('button', { name: 'Remove filter: Status is Failed' }).click();
    await until(() => queryOf(app) === 'TaskQueue != "a"', 'the second condition');
    await page.getByRole('button', { name: 'Edit filter: Task queue is not a' }).click();
    await userEvent.keyboard('{Backspace}b"{Enter}');
    await until(
      () => queryOf(app) === 'TaskQueue != "ab"' || queryOf(app) === 'TaskQueue != "b"',
      'the change',
    );
  });

  test('shows the same query as text, and keeps text that is not a list of conditions', async () => {
    const app = await renderApp('/ns/NS/workflows?q=ExecutionStatus%20%3D%20%22Failed%22');
    await until(() => rows().length > 0, 'the rows');
    await page.getByRole('button', { name: 'Query' }).click();
    const text = page.getByRole('textbox', { name: 'Visibility query' });
    await expect.element(text).toHaveValue('ExecutionStatus = "Failed"');
    await text.fill('ExecutionStatus = "Failed" ORDER BY StartTime');
    await userEvent.keyboard('{Enter}');
    await until(() => queryOf(app).endsWith('ORDER BY StartTime'), 'the text in the address');
    await expect.element(page.getByText('Shown as text, because it contains ORDER BY.')).toBeVisible();
    await expect.element(page.getByRole('button', { name: 'Filters' })).toBeDisabled();
    await expect
      .element(page.getByRole('button', { name: /^Failed/ }))
      .toHaveAttribute('aria-disabled', 'true');
  });

  test('sends a relative time as an absolute time, but keeps it relative in the address', async () => {
    const q = 'StartTime >= "-24h"';
    const app = await renderApp(`/ns/NS/workflows?q=${encodeURIComponent(q)}`);
    await until(() => rows().length > 0, 'the rows');
    expect(queryOf(app)).toBe(q);
    const sent = app.asked.map(({ url }) => new URL(url).searchParams.get('query') ?? '');
    expect(sent.some((query) => /^StartTime >= "20\d\d-.*Z"$/.test(query))).toBe(true);
    expect(sent.join()).not.toContain('-24h');
  });

  test('saves a view with a name, opens it, and deletes it', async () => {
    const app = await renderApp('/ns/NS/workflows?q=refund');
    await until(() => rows().length > 0, 'the rows');
    await page.getByRole('button', { name: 'Save this view' }).click();
    await page.getByLabelText('Name').fill('Refunds');
    await page.getByRole('button', { name: 'Save view' }).click();
    await page.getByRole('link', { name: 'All' }).click();
    await until(() => queryOf(app) === '', 'all runs');
    await page.getByRole('link', { name: 'Refunds' }).click();
    await until(() => queryOf(app).includes('refund'), 'the saved view');
    expect(localStorage.getItem('decrypt-ui.list')).toContain('Refunds');
    // The button that deletes the view does not cover its name.
    const name = document.createRange();
    name.selectNodeContents(page.getByRole('link', { name: 'Refunds' }).element());
    const button = document.querySelector('button[aria-label="Delete view Refunds"]')!;
    expect(button.getBoundingClientRect().left).toBeGreaterThanOrEqual(name.getBoundingClientRect().right);
    document.querySelector<HTMLElement>('button[aria-label="Delete view Refunds"]')!.click();
    await until(() => !document.body.textContent?.includes('Refunds'), 'no saved view');
  });

  test('shows the columns that the address lists, and lets the user choose and order columns', async () => {
    const app = await renderApp('/ns/NS/workflows?cols=id,status,@TenantId');
    await until(() => rows().length > 10, 'the rows');
    expect(heads()).toEqual(['Workflow id', 'Status', 'TenantId']);
    expect(rows()[0]!.textContent).toContain('acme');
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('button', { name: 'Move Status up' }).click();
    await until(() => heads()[0] === 'Status', 'the new order');
    await page.getByRole('checkbox', { name: 'Closed' }).click();
    await until(() => heads().includes('Closed'), 'the new column');
    expect(app.history.location.search).not.toContain('cols');
    await page.getByRole('button', { name: 'Reset' }).click();
    await until(() => heads().includes('Type') && !heads().includes('Closed'), 'the usual columns');
  });

  test('gives the column Why more of the remaining width than the workflow id', async () => {
    const cols = 'status,id,type,why,queue,started,duration,events,size';
    expect(await widthsIn(1280, cols)).toMatchObject({ why: 320, type: 104 });
    const { why, id, type } = await widthsIn(1920, cols);
    expect(why! / id!).toBeCloseTo(2, 1);
    expect(type! / id!).toBeCloseTo(0.4, 1);
  });

  test('scrolls to the row below an expanded row at the end of the table', async () => {
    await page.viewport(1440, 600);
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    const end = grid().getBoundingClientRect().bottom;
    const isInView = (row: Element) => row.getBoundingClientRect().bottom <= end + 1;
    const last = rows().findLast(isInView)!;
    last.focus();
    await until(() => last.tabIndex === 0, 'the focus');
    press('ArrowRight');
    await until(() => {
      const below = last.nextElementSibling;
      return below?.getAttribute('aria-level') === '2' && isInView(below);
    }, 'the row below');
  });

  test('shows children below their parent, or states that there are no children', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    const parent = rows().findIndex(({ textContent }) => textContent?.includes('order-88213'));
    const focusOn = (index: number) => {
      rows()[index]!.focus();
      return until(() => rows()[index]!.tabIndex === 0, 'the focus');
    };
    await focusOn(parent);
    press('ArrowRight');
    await until(() => rows()[parent + 1]?.textContent?.includes('notifycustomer-88213'), 'the first child');
    expect(rows()[parent]!.getAttribute('aria-expanded')).toBe('true');
    expect(rows()[parent + 1]!.getAttribute('aria-level')).toBe('2');
    await focusOn(parent + 1);
    press('ArrowRight');
    await until(() => document.body.textContent?.includes('has started no child workflows'), 'the remark');
    press('ArrowLeft');
    await until(
      () => !document.body.textContent?.includes('has started no child workflows'),
      'only the child',
    );
    press('ArrowLeft');
    await until(() => document.activeElement === rows()[parent], 'the focus on the parent');
    press('ArrowLeft');
    await until(() => !ids().includes('notifycustomer-88213'), 'only the parent');
  });

  test('shows why a running workflow makes no progress', async () => {
    await renderApp('/ns/NS/workflows?q=stuck');
    await until(() => rows().length === 3, 'the rows');
    await until(() => rowOf('stuck-retries')?.includes('Retrying ×40'), 'the retries');
    await until(() => rowOf('stuck-no-worker')?.includes('No worker 4 m'), 'the wait and its cause');
    expect(rowOf('stuck-nondeterminism')).toContain('Task fails');
    const mark = document.querySelector<HTMLElement>('[data-problem]')!;
    expect(mark.dataset['tip']).toContain('NonDeterministicError');
    await page.getByRole('link', { name: /^Task failures/ }).click();
    await until(() => ids().join() === 'stuck-nondeterminism', 'the run that Temporal reports');
  });

  test('restores the focused row and the scroll position on Back', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    press('End');
    await until(() => activeIndex() > 50, 'a later row');
    const id = document.activeElement!.querySelector('a')!.textContent;
    const top = grid().scrollTop;
    press('Enter');
    await until(() => app.history.location.pathname.includes(id), 'the run');
    app.history.back();
    await until(
      () => document.activeElement?.querySelector('a')?.textContent === id,
      'the focus on the same row',
    );
    expect(Math.abs(grid().scrollTop - top)).toBeLessThan(30);
  });

  test('counts the runs again when the list has changed, and shows the difference', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => document.body.textContent?.includes('345'), 'the total');
    await until(() => rows().length > 10, 'the rows');
    await app.queries.refetchQueries({ queryKey: ['newest'] });
    await app.steer('start', { count: 2 });
    await app.queries.refetchQueries({ queryKey: ['newest'] });
    await expect.element(page.getByRole('button', { name: 'Running 4 +2' })).toBeVisible();
  });

  test('sends one request for all running rows in view, once the user stops scrolling', async () => {
    const app = await renderApp('/ns/NS/workflows?q=stuck');
    await until(() => rowOf('stuck-retries')?.includes('Retrying ×40'), 'the retries');
    const requests = (path: RegExp) => app.asked.filter(({ url }) => path.test(new URL(url).pathname));
    const [request, ...more] = requests(/workflows:progress$/);
    expect(progressRequest.parse(JSON.parse(request!.body)).runs.map(({ workflowId }) => workflowId)).toEqual(
      ids(),
    );
    expect(more).toEqual([]);
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await until(() => rows().length > 10, 'all rows');
    await until(() => {
      grid().scrollTop = grid().scrollHeight;
      return document.body.textContent?.includes('345 of 345 loaded');
    }, 'all rows');
    grid().scrollTop = 0;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(requests(/workflows:progress$/).length).toBeLessThanOrEqual(4);
    // The page requests neither descriptions nor task queues of individual runs.
    expect(requests(/\/workflows\//)).toEqual([]);
  });

  test('sends at most three requests per minute while idle, for any number of rows', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await until(
      () => app.asked.some(({ url }) => url.endsWith('workflows:progress')),
      'what the rows wait for',
    );
    // The shell sends these queries for every page.
    const ofShell = new Set(['health', 'me', 'namespaces']);
    const perMinute = app.queries
      .getQueryCache()
      .getAll()
      .filter(({ queryKey: [kind] }) => !ofShell.has(String(kind)))
      .flatMap((query) => query.observers.map(({ options }) => ({ query, every: options.refetchInterval })))
      .map(({ query, every }) => (typeof every === 'function' ? every(query) : every))
      .map((every) => (every ? 60_000 / every : 0));
    expect(perMinute.length).toBeGreaterThan(4);
    expect(perMinute.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(3);
  });

  test('names a namespace that does not exist', async () => {
    await renderApp('/ns/unknown/workflows', { namespace: 'unknown' });
    await expect.element(page.getByText('There is no namespace unknown')).toBeVisible();
    expect(document.querySelector('[role="treegrid"]')).toBeNull();
  });

  test('says that a namespace has no workflows', async () => {
    await renderApp('/ns/empty/workflows', { namespace: 'empty' });
    await expect.element(page.getByText('No workflows in this namespace yet')).toBeVisible();
  });
});

describe('the appearance', () => {
  test('changes the theme immediately and for the next visit', async () => {
    await renderApp('/ns/NS/workflows');
    expect(document.documentElement.dataset['theme']).toBe('dark');
    await page.getByRole('button', { name: 'Theme' }).click();
    await page.getByRole('menuitemradio', { name: 'Light' }).click();
    await until(() => document.documentElement.dataset['theme'] === 'light', 'the light theme');
    expect(getComputedStyle(document.body).backgroundColor).toBe('rgb(255, 255, 255)');
    expect(localStorage.getItem('decrypt-ui.preferences')).toContain('"theme":"light"');
  });

  test('draws rows 28 px high by default, and 24 or 36 px high on request', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    expect(height()).toBe(28);
    setPreferences({ density: 'compact' });
    await until(() => height() === 24, 'compact rows');
    setPreferences({ density: 'comfortable' });
    await until(() => height() === 36, 'comfortable rows');
  });

  test('uses the fonts Inter and JetBrains Mono', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 10, 'the rows');
    await document.fonts.ready;
    expect(document.fonts.check('13px "Inter Variable"')).toBe(true);
    expect(document.fonts.check('12.5px "JetBrains Mono Variable"')).toBe(true);
    expect(getComputedStyle(document.body).fontSize).toBe('13px');
  });

  test('puts a row’s text on two lines on a phone', async () => {
    await page.viewport(390, 844);
    await renderApp('/ns/NS/workflows');
    await until(() => rows().length > 5, 'the rows');
    expect(rows()[0]!.getBoundingClientRect().height).toBe(62);
    expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(390);
  });
});

import { describe, expect, onTestFinished, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { requested } from '../../../src/runs/requested.ts';
import { expiring, newNamespace, onDemand, personWith, sessionOf } from '../../support/people.ts';
import { press, renderApp, until } from '../../support/render-app.tsx';

const FAILED = 'ExecutionStatus = "Failed"';
const COMPLETED = 'ExecutionStatus = "Completed"';
const differs = (a: string, b: string) => `/ns/NS/differs?${new URLSearchParams({ a, b })}`;

const main = () => document.querySelector('main')?.textContent ?? '';
const table = (name: string) => page.getByRole('table', { name });
const rowOf = (field: string) =>
  [...document.querySelectorAll('tbody tr')].find(
    (row) => row.firstElementChild?.firstChild?.textContent === field,
  );
const requests = (app: { asked: { url: string; body: string }[] }) =>
  app.asked
    .filter(({ url }) => url.endsWith('fields'))
    .map(({ url, body }) => ({ route: url.split(':').at(-1), ...JSON.parse(body) }));
/** Matches the size of set A on the page; the first group of the match is the number of runs. */
const counted = () =>
  /(\d+) runs/.exec(document.querySelector('section[aria-label="Set A"]')?.textContent ?? '');
const compare = () => userEvent.click(page.getByRole('button', { name: 'Compare', exact: true }));
const isReady = () =>
  until(() => /A: \d+ runs? read · B: \d+/.test(main()) && rowOf('Workflow type'), 'the result');

describe('the page that compares two sets of runs', () => {
  test('reads up to 200 runs of each set on request, and ranks the differences, with counts and the probability that each is due to chance', async () => {
    const app = await renderApp(differs(FAILED, COMPLETED));
    const [, count] = await until(counted, 'the count');
    await until(() => /200 of \d+ runs/.test(main()), 'the size of B');
    expect(requests(app)).toEqual([]);
    await compare();
    await isReady();
    const body = { runs: 200 };
    expect(requests(app)).toEqual([
      { route: 'decode-fields', query: FAILED, ...body },
      { route: 'decode-fields', query: COMPLETED, ...body },
    ]);
    expect(rowOf('input.country')!.textContent).toMatch(
      new RegExp(`CZ${count} of ${count}0 of 200100 percentage pointsless than 1 in a million`),
    );
    await expect.element(table('From the start and the first workflow task')).toBeVisible();
    // Search attributes have a separate table, because a workflow can set them when it fails.
    await expect.element(table('Search attributes: may have changed during the run')).toBeVisible();
    expect(rowOf('OrderState')!.closest('section')!.textContent).toContain('may have changed');
    // The value has no tooltip, because a tooltip could stay after the reveal ends.
    expect(document.querySelector('tbody [data-tip]')).toBeNull();
    expect(rowOf('input.amount')).toBeUndefined();
    expect(rowOf('Key version of the input')).toBeUndefined();
    expect(main()).toContain('2 Cloud KMS calls');
    expect(main()).toMatch(/Started: A \d.* \d+:\d+:\d+ to \d.* · B \d.* to \d/);
  });

  test('scrolls to the first differences in a small window', async () => {
    await page.viewport(640, 400);
    await renderApp(differs(FAILED, COMPLETED));
    await compare();
    await isReady();
    await until(() => rowOf('Workflow type')!.closest('tbody')!.getBoundingClientRect().top < 340, 'a row');
  });

  test('reads a large set again with runs from the times of the other set, and says so', async () => {
    const app = await renderApp(differs(FAILED, ''));
    await compare();
    await until(() => main().includes('the page chose runs from the times of A’s runs'), 'the result');
    expect(requests(app)).toMatchObject([{ query: FAILED }, { query: '' }, { query: '', sample: {} }]);
    expect(rowOf('Hour of the start (UTC)')).toBeUndefined();
  });

  test('links to the runs with a value if a query can express the value, and still shows the result on Back', async () => {
    const app = await renderApp(differs(FAILED, COMPLETED));
    await compare();
    await isReady();
    expect(rowOf('input.country')!.querySelector('a')).toBeNull();
    // The workflow type and the task queue match the same runs.
    expect(rowOf('Workflow type')!.textContent).toContain('same runs as Task queue');
    expect(rowOf('Task queue')).toBeUndefined();
    await userEvent.click(rowOf('Workflow type')!.querySelector('a')!);
    await until(() => document.querySelector('[role="treegrid"] [data-index]'), 'the list');
    expect(app.history.location.search).toContain('WorkflowType');
    app.history.back();
    await isReady();
    expect(requests(app)).toHaveLength(2);
  });

  test('reports nothing if the sets differ only by chance', async () => {
    await renderApp(
      differs('WorkflowType = "ChargePayment"', `WorkflowType = "ChargePayment" AND ${COMPLETED}`),
    );
    await compare();
    await until(() => /No significant difference \(\d+ comparisons?\)/.test(main()), 'the result');
    expect(main()).toMatch(/[1-9]\d* runs in both sets/);
  });

  test('says that both queries find the same runs', async () => {
    await renderApp(differs('WorkflowType = "RefundSaga"', `WorkflowType = "RefundSaga" AND ${COMPLETED}`));
    await compare();
    await until(() => main().includes('The compared runs of A and B are the same'), 'the result');
  });

  test('compares nothing while Temporal rejects a query', async () => {
    const app = await renderApp(differs(FAILED, 'ExecutionStatus = "Faild"'));
    await until(() => main().includes('Temporal rejects a query. Correct the query.'), 'the rejection');
    await expect.element(page.getByRole('button', { name: 'Compare', exact: true })).toBeDisabled();
    expect(requests(app)).toEqual([]);
  });

  test('compares only metadata for a person who may not decrypt, and says so', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp(differs(FAILED, COMPLETED), { namespace, session: make });
    await until(() => main().includes(`You may not decrypt payloads of ${namespace}`), 'the note');
    await compare();
    await isReady();
    expect(requests(app).map(({ route }) => route)).toEqual(['fields', 'fields']);
    expect(rowOf('input.country')).toBeUndefined();
    expect(main()).toContain('Inputs and memos were not compared.');
  });

  test('asks for a justification where the namespace requires one, sends it, and forgets the result on Lock', async () => {
    const namespace = newNamespace();
    const { make } = sessionOf(onDemand(namespace));
    const app = await renderApp(differs(FAILED, COMPLETED), { namespace, session: make });
    await compare();
    expect(requests(app)).toEqual([]);
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await isReady();
    expect(requests(app)).toMatchObject([{ justification: 'PAY-4417' }, { justification: 'PAY-4417' }]);
    expect(JSON.stringify([app.asked.map(({ url }) => url), app.history.location])).not.toContain('PAY-4417');
    await userEvent.click(page.getByRole('button', { name: 'Lock' }));
    await until(() => !rowOf('input.country'), 'no result');
    await userEvent.click(page.getByRole('button', { name: 'Compare without payloads' }));
    await isReady();
    expect(requests(app).slice(2)).toMatchObject([{ route: 'fields' }, { route: 'fields' }]);
  });

  test('drops plaintext when the sign-in expires', async () => {
    const { namespace, ...signedIn } = personWith(['metadata', 'decode']);
    const { make, expire } = expiring(signedIn);
    const app = await renderApp(differs(FAILED, COMPLETED), { namespace, session: make });
    await compare();
    await isReady();
    expire();
    void app.queries.refetchQueries({ queryKey: ['health'] });
    await until(() => !rowOf('input.country'), 'no result');
  });

  test('explains an outage and a stop by the user, and continues after the last run that was read', async () => {
    const app = await renderApp(differs(FAILED, COMPLETED));
    await app.steer('outage');
    await compare();
    await until(() => main().includes('Not all runs could be read'), 'the reason');
    expect(main()).toContain('Temporal does not answer; try again.');
    expect(main()).not.toContain('Too few runs');
    await app.steer('outage', { on: false });
    await app.steer('hold', { count: 10 });
    await userEvent.click(page.getByRole('button', { name: 'Try again' }));
    await until(() => /A: [1-9]\d* runs? read · B: [1-9]/.test(main()), 'the first runs');
    await userEvent.click(page.getByRole('button', { name: 'Stop' }));
    await until(() => main().includes('Stopped before all runs were read.'), 'the stop');
    expect(main()).not.toContain('Comparing');
    await app.steer('hold', { on: false });
    await userEvent.click(page.getByRole('button', { name: 'Continue' }));
    await isReady();
    await until(() => /· B: 200/.test(main()), 'all runs');
    expect(requests(app).at(-1).after).toMatch(/^\../);
  });

  test('says that the worker could not be loaded, and compares again on request', async () => {
    const app = await renderApp(differs(FAILED, COMPLETED));
    const { Worker: Real } = globalThis;
    globalThis.Worker = class extends Real {
      constructor() {
        super('/missing.js', { type: 'module' });
      }
    };
    onTestFinished(() => {
      globalThis.Worker = Real;
    });
    await compare();
    await until(() => main().includes('The sets could not be compared'), 'the failure');
    expect(main()).not.toContain('Comparing');
    globalThis.Worker = Real;
    await userEvent.click(page.getByRole('button', { name: 'Try again' }));
    await isReady();
    expect(requests(app)).toHaveLength(2);
  });

  test.each([
    ['the query changes', differs(FAILED, 'WorkflowType = "RefundSaga"')],
    ['the user leaves the page', '/ns/NS/workflows'],
  ])('stops reading when %s, and shows what was read on Back', async (_, elsewhere) => {
    const app = await renderApp(differs(FAILED, COMPLETED));
    await app.steer('hold', { count: 10 });
    await compare();
    await until(() => /· B: [1-9]/.test(main()), 'the first runs');
    const signals = app.asked.filter(({ url }) => url.endsWith('fields')).map(({ signal }) => signal);
    app.history.push(elsewhere.replace('NS', app.namespace));
    await until(() => signals.every((signal) => signal?.aborted), 'the end of the requests');
    app.history.back();
    await until(() => main().includes('Stopped before all runs were read.'), 'the stop');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(main()).not.toMatch(/Comparing|Too few runs/);
  });

  test('can be reached from a list of one type and from the card of a failed run', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[role="treegrid"] [data-index]'), 'the list');
    const link = page.getByRole('link', { name: 'What differs between failed and completed runs' });
    expect(link.query()).toBeNull();
    app.history.push(`/ns/${app.namespace}/workflows?q=${encodeURIComponent('WorkflowType = "RefundSaga"')}`);
    await userEvent.click(link);
    await until(() => app.history.location.pathname.endsWith('/differs'), 'the page');
    expect(new URLSearchParams(app.history.location.search).get('a')).toContain('RefundSaga');
    expect(decodeURIComponent(app.history.location.search)).toContain('"Completed');
    app.history.push(`/ns/${app.namespace}/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa`);
    await userEvent.click(page.getByRole('link', { name: 'What differs' }));
    await until(() => app.history.location.pathname.endsWith('/differs'), 'the page');
    const shown = new URLSearchParams(app.history.location.search);
    expect(shown.get('a')).toContain('ChargePayment');
    const around = /StartTime >= "([^"]+)" AND StartTime <= "([^"]+)"$/;
    const [limits = '', from = '', to = ''] = around.exec(shown.get('b') ?? '') ?? [];
    expect(Date.parse(to) - Date.parse(from)).toBe(2 * 86_400_000);
    expect(shown.get('a')).toContain(limits);
    press('Escape');
  });
});

const follow = async () => {
  await userEvent.click(page.getByRole('link', { name: 'What differs' }));
  await until(() => main().includes('The server decrypts the input and memo'), 'the page');
};
/** Waits until after the task in which the page would start a comparison: the first task after it is shown. */
const offered = async () => {
  await expect.element(page.getByRole('button', { name: 'Compare', exact: true })).toBeVisible();
  await new Promise((resolve) => setTimeout(resolve, 100));
};

describe('the link “What differs” on the card of a failed run', () => {
  const failed = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';

  test('starts the comparison at once, and the user can stop it', async () => {
    const app = await renderApp(failed);
    await app.steer('hold', { count: 10 });
    await follow();
    await userEvent.click(page.getByRole('button', { name: 'Stop' }));
    await until(() => main().includes('Stopped before all runs were read.'), 'the stop');
    expect(requests(app).map(({ route }) => route)).toEqual(['decode-fields', 'decode-fields']);
  });

  test('starts nothing on Back, Forward, a reload or a shared address', async () => {
    const app = await renderApp(failed);
    await follow();
    await until(() => /A: \d+ runs? read · B: \d+/.test(main()), 'the comparison');
    const { href, state } = app.history.location;
    expect(href).not.toContain('requested');
    // A reload keeps the history state.
    expect(state.requested).toBeUndefined();
    app.history.push(differs(FAILED, COMPLETED).replace('NS', app.namespace), {
      requested: requested.requested - 1,
    });
    await offered();
    app.history.back();
    app.history.forward();
    await offered();
    app.history.push(href);
    await offered();
    expect(requests(app)).toHaveLength(2);
  });

  test('shows the known result when it is followed again', async () => {
    const app = await renderApp(failed);
    await follow();
    await expect.element(page.getByRole('button', { name: 'Compare again' })).toBeVisible();
    app.history.back();
    await follow();
    await expect.element(page.getByRole('button', { name: 'Compare again' })).toBeVisible();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(requests(app)).toHaveLength(2);
  });

  test('starts nothing for a person who may not decrypt', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp(failed, { namespace, session: make });
    await userEvent.click(page.getByRole('link', { name: 'What differs' }));
    await offered();
    expect(requests(app)).toEqual([]);
    expect(app.history.location.state.requested).toBeUndefined();
  });

  test('starts nothing where the namespace reveals payloads on demand, even while the run is revealed', async () => {
    const { namespace, make } = personWith(['metadata', 'decode'], 'on-demand');
    const app = await renderApp(failed, { namespace, session: make });
    await follow();
    await offered();
    expect(requests(app)).toEqual([]);
    await compare();
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByRole('button', { name: 'Compare again' })).toBeVisible();
    app.history.push(differs(FAILED, COMPLETED).replace('NS', namespace), requested);
    await offered();
    expect(requests(app)).toHaveLength(2);
  });
});

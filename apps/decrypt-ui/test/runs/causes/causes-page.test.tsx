import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { expiring, newNamespace, onDemand, personWith, sessionOf } from '../../support/people.ts';
import { press, renderApp, type SessionActions, until } from '../../support/render-app.tsx';

const MESSAGE = 'Mandate MD-';
const groups = () => [...document.querySelectorAll<HTMLElement>('[aria-label="Causes"] > li')];
const textOf = (type: string) =>
  groups()
    .find((group) => group.textContent?.includes(type))
    ?.textContent?.replaceAll(/\s+/g, ' ') ?? '';
const renewals = () => page.getByRole('link', { name: /^renewal-c-/ });
const whole = () => document.body.textContent ?? '';
const complete = () =>
  until(() => document.querySelector('[aria-label="Read again"]') && groups().length > 0, 'all runs');
/** Returns the text that screen readers read aloud. */
const announced = () => document.querySelector('.sr-only[role="status"]')?.textContent ?? '';
const requests = (app: { asked: { url: string; body: string }[] }) =>
  app.asked
    .filter(({ url }) => url.endsWith('causes'))
    .map(({ url, body }) => [url.split(':').at(-1), JSON.parse(body)]);

describe('the page with failures by cause', () => {
  test('groups the failed runs of a query, and shows each group’s message, step, time, builds and runs', async () => {
    const app = await renderApp('/ns/NS/causes');
    await complete();
    expect(whole()).toMatch(/\d+ causes in \d+ runs/);
    // Strict mode renders the page twice, so there may be more than one request.
    const before = requests(app).length;
    expect(requests(app)[0]).toEqual(['decode-causes', { query: '' }]);
    expect(textOf('MandateRejected')).toMatch(
      /^43 runs?MandateRejected Mandate <number> of renewal <number> was rejected\s*in activity submit · submit \(mandates\.ts\)/,
    );
    expect(textOf('StripeCardError')).toMatch(/<number> from acquirer, code <number>in activity charge/);
    expect(textOf('MandateRejected')).toContain('orders-1.');
    const [largest] = groups();
    expect(largest!.textContent).toContain('MandateRejected');
    expect(largest!.querySelector('[role="img"]')!.getAttribute('aria-label')).toMatch(
      /^Failure times: peak of \d+ runs? in one of 24 intervals$/,
    );
    await userEvent.click(
      page.getByRole('button', { name: 'Show 43 runs: MandateRejected in activity submit' }),
    );
    await until(() => textOf('MandateRejected').includes('the same type: MandateRejected'), 'the reasons');
    expect(textOf('MandateRejected')).toMatch(/Mandate MD-1\d+ of renewal/);
    expect(renewals().elements()).toHaveLength(8);
    await userEvent.click(page.getByRole('button', { name: 'Show 35 more runs' }));
    await until(() => renewals().elements().length === 43, 'all runs');
    expect(app.history.location.search).toBe('');
    expect(document.title).not.toContain('Mandate');
    await userEvent.click(renewals().first());
    await until(() => app.history.location.pathname.includes('/workflows/renewal-c-'), 'the run');
    app.history.back();
    await until(() => groups().length > 0, 'the groups again');
    expect(requests(app)).toHaveLength(before);
  });

  test('shows the causes of running workflows whose workflow task keeps failing, and since when', async () => {
    await renderApp('/ns/NS/causes?q=TemporalReportedProblems+IS+NOT+NULL');
    await complete();
    expect(textOf('DeterminismViolationError')).toContain(
      'in workflow PayoutBatch · still running, failing task',
    );
    expect(textOf('DeterminismViolationError')).toMatch(/still failing\s*since \d+ \w+ \d\d:\d\d:\d\d/);
    expect(document.querySelector('[aria-label="Causes"] time')).toBeNull();
  });

  test('says that an older Temporal server cannot list workflows whose workflow task keeps failing', async () => {
    const end = { reason: 'complete', after: '.', runs: 0, failed: 0, kmsCalls: 0, unreadable: {} };
    const lines = [
      { type: 'start', total: 0, share: 1, failingTasks: false },
      { type: 'end', ...end },
    ];
    await renderApp('/ns/NS/causes', { session: causesAnswered(() => linesOf(lines)) });
    await until(() => whole().includes('This Temporal server cannot list running workflows'), 'the note');
  });

  test('marks a cause that first occurs in the last quarter of the time range', async () => {
    await renderApp('/ns/NS/causes');
    await complete();
    expect(textOf('StripeCardError')).toMatch(/new since (\d+ \w+ )?\d\d:\d\d/);
    expect(textOf('MandateRejected')).not.toContain('new since');
  });

  test('moves from cause to cause with J and K', async () => {
    await renderApp('/ns/NS/causes');
    await complete();
    press('j');
    expect(document.activeElement?.closest('li')).toBe(groups()[0]);
    press('j');
    expect(document.activeElement?.closest('li')).toBe(groups()[1]);
    press('k');
    expect(document.activeElement?.closest('li')).toBe(groups()[0]);
    await userEvent.keyboard('{Enter}');
    const link = await until(() => groups()[0]!.querySelector<HTMLElement>('[href*="/workflows/"]'), 'a run');
    link.focus();
    press('j');
    expect(document.activeElement?.closest('li')).toBe(groups()[1]);
  });

  test('moves no group and marks no new cause while it reads runs, and announces only the end', async () => {
    const namespace = newNamespace();
    const { steer, history } = await renderApp('/ns/NS/workflows', { namespace });
    await steer('hold', { count: 0 });
    history.push(`/ns/${namespace}/causes`);
    await until(() => whole().includes('Reading runs…'), 'the page');
    expect(whole()).not.toContain('0 causes');
    let ids: (string | undefined)[] = [];
    for (const count of [5, 10, 20, 40]) {
      await steer('hold', { count });
      await until(() => RegExp(`\\d causes? in ${count} of \\d+ runs`).test(whole()), `${count} runs`);
      const now = groups().map((group) => group.querySelector<HTMLElement>('[data-cause]')?.dataset['cause']);
      expect(now.slice(0, ids.length)).toEqual(ids);
      ids = now;
      expect(whole()).not.toContain('new since');
      expect(announced()).toBe('');
    }
    expect(ids.length).toBeGreaterThan(1);
    await steer('hold', { on: false });
    await complete();
    await until(() => /^\d+ causes in \d+ runs$/.test(announced()), 'the announcement');
    expect(textOf('StripeCardError')).toContain('new since');
  });

  test('says that it stopped before all runs were read, and continues on request', async () => {
    const namespace = newNamespace();
    const app = await renderApp('/ns/NS/workflows', { namespace });
    await app.steer('hold', { count: 10 });
    app.history.push(`/ns/${namespace}/causes`);
    await until(() => /in 10 of \d+ runs/.test(whole()), 'the first runs');
    await userEvent.click(page.getByRole('button', { name: 'Stop' }));
    await until(() => whole().includes('Stopped before all runs were read.'), 'the stop');
    await app.steer('hold', { on: false });
    await userEvent.click(page.getByRole('button', { name: 'Continue' }));
    await complete();
    expect(requests(app).at(-1)![1].after).toMatch(/^\../);
    expect(whole()).not.toContain('Stopped');
  });

  test('stops reading when the user leaves the page, and continues on Back', async () => {
    const namespace = newNamespace();
    const app = await renderApp('/ns/NS/workflows', { namespace });
    await app.steer('hold', { count: 10 });
    app.history.push(`/ns/${namespace}/causes`);
    await until(() => /in 10 of \d+ runs/.test(whole()), 'the first runs');
    const before = requests(app).length;
    const { signal } = app.asked.findLast(({ url }) => url.endsWith('causes'))!;
    app.history.push(`/ns/${namespace}/keys`);
    await until(() => signal?.aborted, 'the end of the request');
    await app.steer('hold', { on: false });
    app.history.back();
    await complete();
    expect(requests(app)).toHaveLength(before + 1);
  });

  test('can be reached from the list, and then has the list’s filter', async () => {
    const app = await renderApp('/ns/NS/workflows?q=ExecutionStatus+%3D+"TimedOut"');
    await userEvent.click(page.getByRole('link', { name: 'By cause' }));
    await complete();
    expect(requests(app)[0]![1]).toEqual({ query: 'ExecutionStatus = "TimedOut"' });
    expect(groups()).toHaveLength(1);
    expect(textOf('WorkflowTimedOut')).toContain('no message');
    await userEvent.click(page.getByRole('link', { name: 'ExecutionStatus = "TimedOut"' }));
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
    press('F', document.body, { shiftKey: true });
    await until(() => app.history.location.pathname.endsWith('/causes'), 'the page');
    expect(decodeURIComponent(app.history.location.search)).toContain('TimedOut');
  });

  test('says that it shows a sample', async () => {
    const namespace = newNamespace();
    const { steer, history } = await renderApp('/ns/NS/workflows', { namespace });
    await steer('sample', { count: 4 });
    history.push(`/ns/${namespace}/causes`);
    await complete();
    expect(whole()).toMatch(/\d+ causes in a sample of \d+ of \d+ runs/);
    expect(whole()).toMatch(/Sample: \d+ runs match; the page reads about \d+, picked by run id/);
  });

  test('explains an empty result, an invalid query and an unreachable Temporal', async () => {
    const app = await renderApp('/ns/NS/causes?q=ExecutionStatus+%3D+"Completed"');
    await until(() => whole().includes('No failure matches'), 'the empty state');
    app.history.push(`/ns/${app.namespace}/causes?q=ExecutionStatus+%3D+Faild`);
    await until(() => whole().includes('Temporal rejects the query'), 'the message');
    await app.steer('outage');
    app.history.push(`/ns/${app.namespace}/causes`);
    await until(() => whole().includes('The runs could not be read'), 'the failure');
    expect(document.querySelector('h1 + span')?.textContent).toBe('');
    expect(page.getByRole('button', { name: 'Continue' }).query()).toBeNull();
    await app.steer('outage', { on: false });
    await userEvent.click(page.getByRole('button', { name: 'Try again' }));
    await complete();
  });
});

describe('the page with failures by cause, where payloads are locked', () => {
  test('groups by type and step, and shows messages after a justification until the user locks them', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp('/ns/NS/causes', {
      namespace: me.namespaces[0]!.name,
      session: sessionOf(me).make,
    });
    await complete();
    expect(requests(app)).toEqual([['causes', { query: '' }]]);
    expect(textOf('MandateRejected')).toContain('43');
    expect(document.querySelector('[aria-label="Message locked"]')).not.toBeNull();
    await userEvent.click(page.getByRole('button', { name: 'Reveal messages' }));
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => textOf('MandateRejected').includes('was rejected'), 'the messages');
    expect(requests(app)[1]).toEqual(['decode-causes', { query: '', justification: 'PAY-4417' }]);
    press('l');
    await until(() => groups().length > 0 && !whole().includes('was rejected'), 'no plaintext');
    expect(textOf('MandateRejected')).not.toContain(MESSAGE);
  });

  test('decrypts nothing for a person without the permission', async () => {
    const { namespace, make } = personWith(['metadata', 'search']);
    const app = await renderApp('/ns/NS/causes', { namespace, session: make });
    await complete();
    expect(requests(app).map(([route]) => route)).toEqual(['causes']);
    expect(page.getByRole('button', { name: 'Reveal messages' }).query()).toBeNull();
    expect(whole()).toContain('You may not decrypt messages');
  });
});

test('the page with failures by cause shows no message that it read before the sign-in expired', async () => {
  const { namespace, ...signedIn } = personWith(['metadata', 'decode']);
  const { make, expire } = expiring(signedIn);
  const app = await renderApp('/ns/NS/causes', { namespace, session: make });
  await complete();
  expect(textOf('MandateRejected')).toContain('was rejected');
  app.history.push(`/ns/${namespace}/workflows`);
  await until(() => groups().length === 0, 'the list');
  expire();
  void app.queries.refetchQueries({ queryKey: ['health'] });
  await until(() => whole().includes('Your sign-in has expired'), 'the expiry');
  app.history.back();
  await until(() => whole().includes('Reading runs…'), 'the page');
  expect(groups()).toEqual([]);
});

/** Gives the session's requests for causes this response instead of the server's. */
const causesAnswered = (response: () => Response) => (actions: SessionActions) =>
  withoutSignIn('open', (input, init) =>
    (input instanceof Request ? input.url : input.toString()).endsWith('causes')
      ? Promise.resolve(response())
      : actions.fetch(input, init),
  );

const linesOf = (lines: readonly object[]) =>
  new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

const rows = () => [...document.querySelectorAll<HTMLElement>('[role="treegrid"] [data-index]')];

describe('the list’s column Why', () => {
  const list = '/ns/NS/workflows?cols=status,id,why&q=ExecutionStatus+%3D+"Failed"';

  test('shows why the visible runs failed, with one request, and requests nothing while idle', async () => {
    const app = await renderApp(list);
    await until(() => rows().some((row) => row.textContent?.includes(MESSAGE)), 'a message');
    const [first, ...others] = requests(app);
    expect(others).toEqual([]);
    expect(first![0]).toBe('decode-causes');
    expect(first![1].query).toMatch(/^RunId IN \("[\da-f-]{36}"(, "[\da-f-]{36}")+\)$/);
    expect(rows().find((row) => row.textContent?.includes('charge-88213'))?.textContent).toMatch(
      /StripeCardError\s*402 from acquirer, code 05\s*in activity charge/,
    );
    await app.queries.refetchQueries({ queryKey: ['newest'] });
    await new Promise((resolve) => {
      setTimeout(resolve, 600);
    });
    expect(requests(app)).toHaveLength(1);
    expect(
      JSON.stringify(
        app.queries
          .getQueryCache()
          .getAll()
          .map(({ state }) => state.data),
      ),
    ).not.toContain(MESSAGE);
  });

  test('shows only types and steps where payloads are locked', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp(list, { namespace: me.namespaces[0]!.name, session: sessionOf(me).make });
    await until(() => rows().some((row) => row.textContent?.includes('MandateRejected')), 'a type');
    expect(requests(app).map(([route]) => route)).toEqual(['causes']);
    expect(whole()).not.toContain(MESSAGE);
  });

  test('shows messages that were revealed on another page, names that reveal, and hides the messages on Lock', async () => {
    const me = onDemand(newNamespace());
    const namespace = me.namespaces[0]!.name;
    const app = await renderApp('/ns/NS/causes', { namespace, session: sessionOf(me).make });
    await userEvent.click(page.getByRole('button', { name: 'Reveal messages' }));
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await complete();
    app.history.push(list.replace('NS', namespace));
    await until(() => rows().some((row) => row.textContent?.includes(MESSAGE)), 'a message');
    await expect.element(page.getByText(`Revealed: failures of ${namespace}`)).toBeVisible();
    expect(document.querySelector('[role="timer"]')!.textContent).toMatch(/^hides in [45]:/);
    await expect.element(page.getByRole('button', { name: 'Lock' })).toBeVisible();
    press('l');
    await until(() => !document.documentElement.outerHTML.includes(MESSAGE), 'no message');
    await until(() => announced() === 'Payloads are hidden.', 'the announcement');
    await expect.element(page.getByText(/^Revealed: /)).not.toBeInTheDocument();
    await until(() => rows().some((row) => row.textContent?.includes('MandateRejected')), 'a type');
    expect(whole()).not.toContain(MESSAGE);
  });

  test('locks a namespace that reveals automatically, and shows its messages again', async () => {
    await renderApp(list);
    await until(() => rows().some((row) => row.textContent?.includes(MESSAGE)), 'a message');
    press('l');
    await until(() => !document.documentElement.outerHTML.includes(MESSAGE), 'no message');
    await userEvent.click(page.getByRole('button', { name: 'Show payloads' }));
    await until(() => rows().some((row) => row.textContent?.includes(MESSAGE)), 'the message again');
    await expect.element(page.getByText('You have locked the payloads.')).not.toBeInTheDocument();
  });

  test('says which runs could not be read', async () => {
    const error = { code: 'temporal_unavailable', message: 'Temporal does not answer.' };
    await renderApp(list, { session: causesAnswered(() => Response.json({ error }, { status: 503 })) });
    const cell = await until(
      () => rows()[0]?.querySelector<HTMLElement>('[data-tip^="Temporal does not answer."]'),
      'a tip',
    );
    expect(cell.textContent).toBe('not read');
  });

  test('sends no request while it is hidden', async () => {
    const app = await renderApp('/ns/NS/workflows?q=ExecutionStatus+%3D+"Failed"');
    await until(() => rows().length > 5, 'the rows');
    await new Promise((resolve) => {
      setTimeout(resolve, 600);
    });
    expect(requests(app)).toEqual([]);
  });
});

const FAILED_RUN = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';

describe('the card Why', () => {
  test('counts other runs with the same cause on request, and leads to their group', async () => {
    const app = await renderApp(FAILED_RUN);
    await userEvent.click(page.getByRole('button', { name: 'Same cause' }));
    const link = page.getByRole('link', {
      name: /^The same cause in 3 other runs since (\d+ \w+ )?\d\d:\d\d/,
    });
    await expect.element(link).toBeVisible();
    const [, from, to] =
      /^WorkflowType = "ChargePayment" AND CloseTime >= "(.+)" AND CloseTime <= "(.+)"$/.exec(
        requests(app)[0]![1].query,
      )!;
    expect(Date.parse(to!) - Date.parse(from!)).toBe(48 * 3_600_000);
    await userEvent.click(link);
    await until(() => textOf('StripeCardError').includes('charge-alike-2'), 'the open group');
  });

  test('while messages are locked, says that other runs have the same type and step, not the same cause', async () => {
    const me = onDemand(newNamespace());
    await renderApp(FAILED_RUN, { namespace: me.namespaces[0]!.name, session: sessionOf(me).make });
    await userEvent.click(page.getByRole('button', { name: 'Same cause' }));
    const link = page.getByRole('link', { name: /^Same type and step in 3 other runs since/ });
    await expect.element(link).toBeVisible();
  });

  test('says that a sample does not contain the run', async () => {
    const end = { reason: 'complete', after: '.', runs: 0, failed: 0, kmsCalls: 0, unreadable: {} };
    const lines = [
      { type: 'start', total: 20_000, share: 0.1, failingTasks: true },
      { type: 'end', ...end },
    ];
    await renderApp(FAILED_RUN, { session: causesAnswered(() => linesOf(lines)) });
    await userEvent.click(page.getByRole('button', { name: 'Same cause' }));
    const name = 'Too many failed runs to find this one. See “Failures by cause”.';
    await expect.element(page.getByRole('link', { name })).toBeVisible();
  });
});

import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { newNamespace, onDemand, sessionOf } from '../../support/people.ts';
import { press, renderApp, RUN, type SessionActions, until } from '../../support/render-app.tsx';

const FIRST = '01997c2e-0000-7000-8000-00000000c0a1';
const SECOND = '01997c2e-0000-7000-8000-00000000c0a2';
const compare = `/ns/NS/workflows/refund-7/${FIRST}/compare?run=${SECOND}`;
const list = () => page.getByRole('list', { name: 'Steps of the two runs' });
const steps = () => [...list().element().querySelectorAll('button')].map((step) => step.textContent ?? '');
const step = (name: string) => steps().find((text) => text.includes(name)) ?? '';

const current = () => list().query()?.querySelector('[aria-current]')?.textContent ?? '';
/** The differences that follow from the input. */
const folded = () => document.querySelector('[aria-label="Follows from the input"]')?.textContent ?? '';

describe('a run comparison', () => {
  test('opens from a run, which offers the other runs of its workflow id', async () => {
    const app = await renderApp(`/ns/NS/workflows/refund-7/${FIRST}`);
    await until(() => page.getByRole('button', { name: 'Compare' }).query(), 'the button');
    press('d');
    const link = page.getByRole('link', { name: new RegExp(SECOND) });
    await expect.element(link).toBeVisible();
    await userEvent.click(link);
    await expect.element(page.getByRole('heading', { name: 'Compare runs' })).toBeVisible();
    expect(app.history.location.href).toContain(`/refund-7/${FIRST}/compare?run=`);
  });

  test('aligns the steps, names steps that only one run has, and shows a difference’s path and both values', async () => {
    await renderApp(compare);
    await until(() => list().query() && steps().length >= 5, 'the steps');
    await until(() => step('LoadOrder').includes('equal'), 'an equal step');
    await until(() => /Input amount\.minor 1290 .*51290/.test(step('Started')), 'a different input');
    expect(step('AskForReview')).toContain('not in this run');
    expect(step('AskForReview')).toContain('second run only');
  });

  test('folds differences that follow from the input, and counts them once', async () => {
    await renderApp(compare);
    await until(() => list().query() && steps().at(-1)?.includes('follows from the input'), 'the result');
    expect(steps().filter((text) => text.includes('Refund'))[0]).toContain('follows from the input');
    await until(() => /1290 .*51290, 3 times/.test(folded()), 'the count');
  });

  test('starts at the first difference, goes to the next difference with a key or a button, and can show only differences', async () => {
    await renderApp(compare);
    await until(() => current().includes('Started'), 'the first difference');
    await userEvent.click(page.getByRole('button', { name: 'Next difference' }));
    await until(() => current().includes('AskForReview'), 'the next');
    await until(() => document.activeElement?.textContent?.includes('AskForReview'), 'its focus');
    press('n');
    press('N', document.body, { shiftKey: true });
    await until(() => current().includes('Started'), 'the first again');
    await userEvent.click(page.getByRole('button', { name: 'Only differences' }));
    await until(() => steps().length === 2, 'the two steps');
    expect(steps()[1]).toContain('AskForReview');
  });

  test('states above the steps whether the inputs and the results differ, and opens their comparison on request', async () => {
    await renderApp(compare);
    await until(
      () => list().query() && page.getByRole('button', { name: 'Input differs' }).query(),
      'the input',
    );
    await userEvent.click(page.getByRole('button', { name: 'Result follows from the input' }));
    await expect.element(page.getByRole('dialog', { name: 'Workflow completed' })).toBeVisible();
    await until(() => document.querySelector('[data-diff="changed"]'), 'the difference');
  });

  test('shows the payloads of a step side by side', async () => {
    await renderApp(compare);
    await until(() => list().query() && step('Refund').includes('follows from the input'), 'the steps');
    const refund = [...list().element().querySelectorAll('button')].find((item) =>
      item.textContent?.includes('Refund'),
    );
    refund!.click();
    const dialog = page.getByRole('dialog', { name: 'Activity Refund' });
    await expect.element(dialog).toBeVisible();
    await until(
      () =>
        [...document.querySelectorAll('[data-diff="changed"]')].some((line) =>
          line.textContent?.includes('51290'),
        ),
      'the difference',
    );
  });

  test('does not request a payload that the person has not revealed, and shows it as locked', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp(compare, { namespace: me.namespaces[0]!.name, session: sessionOf(me).make });
    await until(() => list().query() && step('LoadOrder').includes('locked'), 'the lock');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await userEvent.click(page.getByRole('button', { name: 'Only differences' }));
    await until(() => steps().length === 1 && step('AskForReview'), 'the only difference that is known');
    await expect
      .element(page.getByText('4 steps may differ: payloads are locked, unreadable or in external storage.'))
      .toBeVisible();
    expect(app.refs()).toEqual([]);
  });

  test('reads payloads in external storage only on request, and does not call payloads equal merely because their references are', async () => {
    const [first, second] = ['01997c2e-0000-7000-8000-0000000000e5', '01997c2e-0000-7000-8000-0000000000e6'];
    const app = await renderApp(`/ns/NS/workflows/stored-1/${first}/compare?with=stored-2&run=${second}`);
    await until(
      () => list().query() && step('Started').includes('in external storage, not read'),
      'the state',
    );
    expect(step('Completed')).not.toContain('equal');
    await userEvent.click(page.getByRole('button', { name: 'Only differences' }));
    await expect
      .element(page.getByText(/7 steps may differ: payloads are locked, unreadable or in external storage\./))
      .toBeVisible();
    // The server is not permitted to read the other object, and the page says so.
    await until(() => app.refs().some((ref) => ref === '6:0'), 'the request');
    expect(new Set(app.refs())).toEqual(new Set(['6:0']));
    await userEvent.click(page.getByRole('button', { name: 'All steps' }));
    await userEvent.click(page.getByRole('button', { name: /^Input/ }));
    const read = page.getByRole('button', { name: 'Read 12 MB from storage' });
    await until(() => read.elements().length === 2, 'the buttons');
    await userEvent.click(read.first());
    await until(() => read.elements().length === 1, 'the first payload');
    await userEvent.click(read);
    await until(() => document.querySelector('[data-diff="changed"]'), 'the difference');
    await userEvent.keyboard('{Escape}');
    await userEvent.click(page.getByRole('button', { name: 'Only differences' }));
    await until(
      () => steps().length === 1 && step('Started').includes('Maren Vogel'),
      'the step that differs',
    );
    expect(new Set(app.refs())).toEqual(new Set(['1:0', '6:0']));
  });

  test('shows that the histories are loading, and compares nothing until they have loaded', async () => {
    const gate = Promise.withResolvers<void>();
    await renderApp(compare, { session: withHistory(() => gate.promise) });
    await until(() => state().includes('Loading the histories'), 'the state');
    expect(steps()).toEqual([]);
    gate.resolve();
    await until(() => state() === '4 steps in both runs, 1 in one of them', 'the result');
  });

  test('states which history is incomplete, and why', async () => {
    const end = { type: 'end', reason: 'error', after: 0, message: 'An event is damaged.' };
    await renderApp(compare, { session: withHistory(async () => `${JSON.stringify(end)}\n`) });
    await until(
      () => state().includes('The history of the second run is incomplete: An event is damaged.'),
      'the reason',
    );
  });

  test('says that the comparison failed, instead of a result', async () => {
    stubDiff().answer = 'error';
    await renderApp(compare);
    await until(() => state().startsWith('The runs could not be compared'), 'the failure');
    expect(state()).not.toContain('steps in both');
  });

  test('keeps the last steps while an open run grows', async () => {
    const diff = stubDiff();
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}/compare?with=refund-7&run=${FIRST}`);
    await until(() => list().query() && state().includes('in both runs'), 'the result');
    const before = state();
    const asked = diff.asked;
    diff.answer = 'none';
    await app.steer('append', { workflowId: 'order-88213', count: 3 });
    await until(() => diff.asked > asked, 'another comparison');
    expect(state()).toBe(before);
    expect(steps().length).toBeGreaterThan(0);
    diff.answer = 'result';
    await app.steer('append', { workflowId: 'order-88213', count: 1 });
    await until(() => state() !== before && state().includes('in both runs'), 'the new result');
  });
});

/** Returns the status text that the page shows for the comparison. */
const state = () =>
  page
    .getByRole('group', { name: 'Steps', exact: true })
    .query()
    ?.parentElement?.querySelector('[role="status"]')?.textContent ?? '';

/**
 * Delays the second run's history until `instead` resolves. If it resolves to a string, the string replaces the
 * history.
 */
const withHistory =
  (instead: () => Promise<string | void>) =>
  ({ fetch: send }: SessionActions) =>
    withoutSignIn('open', async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (!url.includes(`${SECOND}/history`)) return send(input, init);
      const text = await instead();
      return text === undefined ? send(input, init) : new Response(text);
    });

/** Makes the workers that compare payloads answer with a result, with an error, or not at all. */
function stubDiff() {
  const control = { asked: 0, answer: 'result' };
  class Stub extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      const { answer } = control;
      const isDiff = options?.name === 'diff';
      super(isDiff && answer !== 'result' ? 'data:text/javascript,' : url, options);
      if (!isDiff) return;
      control.asked += 1;
      if (answer === 'error') setTimeout(() => this.dispatchEvent(new Event('error')));
    }
  }
  vi.stubGlobal('Worker', Stub);
  return control;
}

import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { newNamespace, onDemand, sessionOf } from './people.ts';
import { press, renderApp, until } from './render-app.tsx';

const FIRST = '01997c2e-0000-7000-8000-00000000c0a1';
const SECOND = '01997c2e-0000-7000-8000-00000000c0a2';
const compare = `/ns/NS/workflows/refund-7/${FIRST}/compare?run=${SECOND}`;
const list = () => page.getByRole('list', { name: 'Steps of the two runs' });
const steps = () => [...list().element().querySelectorAll('button')].map((step) => step.textContent ?? '');
const step = (name: string) => steps().find((text) => text.includes(name)) ?? '';

describe('the comparison of two runs', () => {
  test('is opened from a run, which offers the other runs of its workflow id', async () => {
    const app = await renderApp(`/ns/NS/workflows/refund-7/${FIRST}`);
    await until(() => page.getByRole('button', { name: 'Compare' }).query(), 'the button');
    press('d');
    const link = page.getByRole('link', { name: new RegExp(SECOND) });
    await expect.element(link).toBeVisible();
    await userEvent.click(link);
    await expect.element(page.getByRole('heading', { name: 'Compare runs' })).toBeVisible();
    expect(app.history.location.href).toContain(`/refund-7/${FIRST}/compare?run=`);
  });

  test('aligns the steps, and names those of one run and those whose payloads differ', async () => {
    await renderApp(compare);
    await until(() => list().query() && steps().length >= 5, 'the steps');
    await until(() => step('LoadOrder').includes('equal'), 'an equal step');
    await until(() => step('Started').includes('differs: 1 payload'), 'a different input');
    await until(() => steps().at(-1)?.includes('differs: 1 payload'), 'a different result');
    expect(steps().filter((text) => text.includes('Refund'))[0]).toContain('differs: 2 payloads');
    expect(step('AskForReview')).toContain('not in this run');
    expect(step('AskForReview')).toContain('second run only');
    await userEvent.click(page.getByRole('button', { name: 'In one run' }));
    await until(() => steps().length === 1, 'the single step');
  });

  test('shows the payloads of a step next to each other', async () => {
    await renderApp(compare);
    await until(() => list().query() && steps().some((text) => text.includes('2 payloads')), 'the steps');
    const refund = [...list().element().querySelectorAll('button')].find(
      (item) => item.textContent?.includes('Refund') && item.textContent.includes('2 payloads'),
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

  test('requests no payload that the person has not revealed, and says that it is locked', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp(compare, {
      namespace: me.namespaces[0]!.name,
      session: sessionOf(me).make,
    });
    await until(() => list().query() && step('LoadOrder').includes('locked'), 'the lock');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(app.refs()).toEqual([]);
    expect(step('AskForReview')).toContain('second run only');
  });
});

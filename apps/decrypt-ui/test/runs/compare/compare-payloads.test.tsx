import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { newNamespace, onDemand, sessionOf } from '../../support/people.ts';
import { press, renderApp, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const dialog = () => document.querySelector('[role="dialog"]');
const text = () => dialog()?.textContent ?? '';
const button = (name: string | RegExp) => page.getByRole('button', { name });
const changes = () => [...document.querySelectorAll('[data-diff="changed"]')].map((line) => line.textContent);

const select = () => [...document.querySelectorAll('select')].at(-1);

async function compare(name: string) {
  await userEvent.click(button(`More about ${name}`).first());
  await userEvent.click(page.getByRole('menuitem', { name: 'Compare with another payload' }));
  await until(() => text().includes('Compare payloads'), 'the dialog');
}

/** Opens an event for a person who must reveal payloads, and reveals its input. */
async function openRevealed() {
  const me = onDemand(newNamespace());
  const app = await renderApp(`${order}?ev=11`, {
    namespace: me.namespaces[0]!.name,
    session: sessionOf(me).make,
  });
  await until(() => button('Reveal Input').query(), 'the button');
  await userEvent.click(button('Reveal Input').first());
  await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
  await userEvent.keyboard('{Enter}');
  await until(() => button('More about input').query(), 'the payload');
  return app;
}

describe('a payload comparison', () => {
  test('starts with the same activity’s result, and offers the input of other activities', async () => {
    await renderApp(`${order}?ev=11`);
    await until(() => button('More about input').query(), 'the payload');
    await compare('input');
    await until(() => text().includes('differ'), 'the comparison');
    expect(select()?.selectedOptions[0]?.text).toMatch(/^Result of event \d+, Activity ReserveInventory$/);
    expect(changes().join(' ')).toContain('"warehouse": "HAM-2"');
    // The same input, sent to another activity.
    const capture = [...select()!.options].find(({ text: name }) =>
      /^Input of event \d+, Activity CapturePayment/.test(name),
    );
    await userEvent.selectOptions(select()!, capture!.value);
    await until(() => text().includes('The payloads are equal.'), 'no difference');
    expect(changes()).toEqual([]);
  });

  test('sends the worker the JSON text, so that the page need not format the text or copy the value', async () => {
    const sent = vi.spyOn(Worker.prototype, 'postMessage');
    await renderApp(`${order}?ev=11`);
    await until(() => button('More about input').query(), 'the payload');
    await compare('input');
    await until(() => text().includes('differ'), 'the comparison');
    const requests = sent.mock.calls.map(([message]): unknown => message);
    expect(requests).toContainEqual({
      left: { kind: 'json', text: expect.stringContaining('maren.vogel') },
      right: { kind: 'json', text: expect.stringContaining('HAM-2') },
    });
  });

  test('stops its worker when the dialog closes', async () => {
    const ended = vi.spyOn(Worker.prototype, 'terminate');
    const app = await renderApp(`${order}?ev=11`);
    await until(() => button('More about input').query(), 'the payload');
    await compare('input');
    await until(() => text().includes('differ'), 'the comparison');
    await userEvent.keyboard('{Escape}');
    await until(() => !dialog(), 'no dialog');
    expect(ended).toHaveBeenCalled();
    expect(app.history.location.href).not.toContain('HAM-2');
  });

  test('stays open when a reveal that is started in the comparison also covers the first payload', async () => {
    await openRevealed();
    await compare('input');
    await userEvent.click(button('Reveal Payload'));
    await until(() => document.querySelectorAll('[role="dialog"]').length === 2, 'the second dialog');
    await userEvent.click(page.getByRole('radio', { name: 'This run' }), { force: true });
    await userEvent.click(page.getByRole('radio', { name: '15 min' }), { force: true });
    await userEvent.click(button('Reveal').last());
    await until(() => text().includes('differ'), 'the comparison');
    expect(text()).toContain('Compare payloads');
  });

  test('closes when its first payload is hidden, and requests nothing that the person has not revealed', async () => {
    const app = await openRevealed();
    const before = app.refs().length;
    await compare('input');
    await expect
      .element(page.getByText('The differences appear when both payloads are decrypted.'))
      .toBeVisible();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(app.refs()).toHaveLength(before);
    // Revealing the other payload from the dialog keeps the dialog open.
    await userEvent.click(button('Reveal Payload'));
    await until(() => document.querySelectorAll('[role="dialog"]').length === 2, 'the second dialog');
    await userEvent.click(button('Reveal').last());
    await until(() => text().includes('differ'), 'the comparison');
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 16 * 60_000);
    document.dispatchEvent(new Event('visibilitychange'));
    await until(() => !dialog(), 'no dialog');
    expect(document.documentElement.outerHTML).not.toContain('HAM-2');
    press('Escape');
  });
});

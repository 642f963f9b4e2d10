import { decodeRequest } from '@temporal-kms/codec-api';
import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { HIDDEN } from '../../../src/payloads/reveal/reveals.ts';
import { meQuery } from '../../../src/session/api.ts';
import { inNamespace, newNamespace, onDemand, person, sessionOf } from '../../support/people.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

/** Text that appears in the summary of the run's first event. */
const PLAINTEXT = '3 items to DE';
const text = (key: string) => row(key)?.textContent ?? '';
const body = () => document.body.textContent ?? '';
const button = (name: string | RegExp) => page.getByRole('button', { name });
const field = () => page.getByRole('textbox', { name: 'Justification' });
const dialog = () => page.getByRole('dialog');
const timer = () => document.querySelector('[role="timer"]');

async function renderRun({ search = '', me = onDemand(newNamespace()) } = {}) {
  const namespace = me.namespaces[0]!.name;
  const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}${search}`, {
    namespace,
    session: sessionOf(me).make,
  });
  await until(() => row('g39'), 'the rows');
  /** The page's requests to decrypt payloads, with their justifications. */
  const decodes = () =>
    app.asked
      .filter(({ url }) => url.endsWith('payloads:decode'))
      .map((request) => decodeRequest.parse(JSON.parse(request.body)));
  return { ...app, namespace, decodes };
}

async function revealRun() {
  press('R', document.body, { shiftKey: true });
  await expect.element(dialog()).toBeVisible();
  await userEvent.fill(field(), 'PAY-4417');
  await userEvent.keyboard('{Enter}');
  await until(() => text('g1').includes(PLAINTEXT), 'the plaintext');
}

/** Everything that outlives the components, and so must contain no plaintext. */
const kept = ({ queries }: Awaited<ReturnType<typeof renderApp>>) =>
  JSON.stringify([
    queries
      .getQueryCache()
      .getAll()
      .map(({ queryKey, state }) => [queryKey, state]),
    Object.entries(localStorage),
    Object.entries(sessionStorage),
    history.state,
    location.href,
  ]);

describe('where the namespace reveals payloads on demand', () => {
  test('a justification reveals the run, and the page counts down the time that is left', async () => {
    const app = await renderRun();
    expect(app.decodes()).toEqual([]);
    await expect.element(page.getByText('Payloads locked')).toBeVisible();
    await revealRun();
    expect(app.decodes().every(({ justification }) => justification === 'PAY-4417')).toBe(true);
    await expect.element(page.getByText('Revealed: this run')).toBeVisible();
    expect(timer()?.textContent).toMatch(/^hides in (5:00|4:\d\d)$/);
    await expect.element(page.getByText('Payloads locked')).not.toBeInTheDocument();
    expect(app.asked.some(({ url }) => url.includes('PAY-4417'))).toBe(false);
    expect(kept(app)).not.toContain('PAY-4417');
  });

  test('a reveal that the codec server refuses is not shown as revealed', async () => {
    const app = await renderRun({ search: '?ev=1' });
    await app.steer('refuse');
    press('R', document.body, { shiftKey: true });
    await expect.element(dialog()).toBeVisible();
    await userEvent.fill(field(), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByText('The codec server refused the reveal.')).toBeVisible();
    await expect.element(button('Try another reveal…')).toBeVisible();
    await until(() => timer() === null, 'no countdown');
  });

  test('Lock removes all plaintext', async () => {
    const app = await renderRun({ search: '?ev=1' });
    await revealRun();
    await expect.element(button('Copy input').first()).toBeVisible();
    expect(app.plaintext.bytes).toBeGreaterThan(0);
    press('l');
    await until(() => !body().includes(PLAINTEXT), 'no plaintext');
    expect(document.documentElement.outerHTML).not.toContain(PLAINTEXT);
    expect(app.plaintext.bytes).toBe(0);
    expect(kept(app)).not.toContain(PLAINTEXT);
    expect(button('Copy input').query()).toBeNull();
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
    const before = app.decodes().length;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(app.decodes()).toHaveLength(before);
    // The page requests the payloads again after the person has confirmed the justification again.
    press('R', document.body, { shiftKey: true });
    await expect.element(field()).toHaveValue('PAY-4417');
    await button('Reveal').click();
    await until(() => text('g1').includes(PLAINTEXT), 'the plaintext again');
    expect(app.decodes().length).toBeGreaterThan(before);
  });

  test.each([
    [390, 844],
    [640, 360],
  ])('Lock stays in view and does not cover an open event, at %i × %i pixels', async (width, height) => {
    await page.viewport(width, height);
    await renderRun({ search: '?ev=1' });
    await revealRun();
    const main = document.querySelector('#main')!;
    await until(() => main.scrollTop > 0, 'the page scrolled to the inspector');
    const lock = button('Lock').element();
    const { left, top, width: wide, height: high } = lock.getBoundingClientRect();
    expect(lock.contains(document.elementFromPoint(left + wide / 2, top + high / 2))).toBe(true);
    const close = page.getByRole('complementary').getByRole('button', { name: 'Close' });
    await close.click();
    await expect.element(close).not.toBeInTheDocument();
  });

  test('a single payload can be revealed', async () => {
    const app = await renderRun({ search: '?ev=1' });
    await button('Reveal Input').first().click();
    await expect.element(page.getByRole('radio', { name: 'Input' })).toBeChecked();
    await userEvent.fill(field(), 'PAY-4417');
    await page.getByRole('radio', { name: '15 min' }).click({ force: true });
    await button('Reveal').last().click();
    await until(() => app.refs().length > 0, 'the request');
    await expect.element(page.getByText('Revealed: Input of event 1')).toBeVisible();
    expect(timer()?.textContent).toMatch(/^hides in (15:00|14:\d\d)$/);
    expect([...new Set(app.refs())]).toHaveLength(1);
  });

  test('R reveals only the event’s payloads', async () => {
    const app = await renderRun({ search: '?ev=39' });
    // Presses the key repeatedly, because the command is ready some time after the event is in the document. Once the
    // dialog is loading or open, it handles the key press.
    await until(() => {
      press('r');
      return dialog().query();
    }, 'the dialog');
    await expect.element(page.getByRole('radio', { name: /^Events 39–\d+$/ })).toBeChecked();
    await userEvent.fill(field(), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => app.refs().length > 0, 'the request');
    expect(app.refs().every((ref) => Number(ref.split(':')[0]) >= 39)).toBe(true);
  });

  test('a dialog without a justification reveals nothing, and Escape closes it', async () => {
    const app = await renderRun();
    await button('Reveal…').click();
    await expect.element(field()).toHaveFocus();
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByRole('alert')).toHaveTextContent('Write why you need the plaintext.');
    await userEvent.keyboard('{Escape}');
    await expect.element(dialog()).not.toBeInTheDocument();
    expect(app.decodes()).toEqual([]);
  });

  test('payloads are hidden once the tab has been hidden for a minute', async () => {
    const app = await renderRun();
    await revealRun();
    const visibility = vi.spyOn(document, 'visibilityState', 'get');
    const turn = (state: DocumentVisibilityState) => {
      visibility.mockReturnValue(state);
      document.dispatchEvent(new Event('visibilitychange'));
    };
    turn('hidden');
    turn('visible');
    expect(text('g1')).toContain(PLAINTEXT);
    turn('hidden');
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + HIDDEN);
    turn('visible');
    await until(() => !body().includes(PLAINTEXT), 'no plaintext');
    expect(app.plaintext.bytes).toBe(0);
  });

  test('payloads are hidden when the user leaves the namespace', async () => {
    const namespace = newNamespace();
    const other = newNamespace();
    const app = await renderRun({ me: onDemand(namespace, [inNamespace(other, ['metadata'])]) });
    await revealRun();
    app.history.push(`/ns/${other}/workflows`);
    await until(() => app.plaintext.bytes === 0, 'an empty cache');
    app.history.push(`/ns/${namespace}/workflows/order-88213/${RUN}`);
    await until(() => row('g1')?.querySelector('[data-masked]'), 'the masks');
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
  });

  test('no plaintext remains after the person has lost all permissions, even once the permissions are restored', async () => {
    const me = onDemand(newNamespace());
    const app = await renderRun({ me });
    await revealRun();
    app.queries.setQueryData(meQuery(app.api).queryKey, person([]));
    await expect.element(page.getByText('You may not read workflows in any namespace')).toBeVisible();
    await until(() => app.plaintext.bytes === 0, 'an empty cache');
    app.queries.setQueryData(meQuery(app.api).queryKey, me);
    await until(() => row('g1')?.querySelector('[data-masked]'), 'the masks');
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
    const before = app.decodes().length;
    await revealRun();
    expect(app.decodes().length).toBeGreaterThan(before);
  });

  test('a search in payloads needs a justification too, and Lock removes its matches', async () => {
    const app = await renderRun();
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('vogel{Enter}');
    await expect.element(page.getByRole('dialog', { name: 'Search decrypted payloads' })).toBeVisible();
    expect(app.asked.some(({ url }) => url.endsWith('history:search'))).toBe(false);
    await userEvent.fill(field(), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => document.querySelector('section[aria-label="Matches"] mark'), 'the matches');
    const asked = app.asked.findLast(({ url }) => url.endsWith('history:search'))!;
    expect(JSON.parse(asked.body)).toMatchObject({ text: 'vogel', justification: 'PAY-4417' });
    // Matches do not reveal the payloads that contain them.
    expect(app.refs()).toEqual([]);
    await button('Lock').click();
    await until(() => !document.querySelector('section[aria-label="Matches"]'), 'no matches');
    expect(document.documentElement.outerHTML.toLowerCase()).not.toContain('vogel');
  });
});

const automatic = () => person([inNamespace(newNamespace(), ['metadata', 'decode', 'search'])]);

describe('where the namespace reveals automatically', () => {
  test('L hides everything, and the person can show it again without a justification', async () => {
    const app = await renderRun({ me: automatic() });
    await until(() => text('g1').includes(PLAINTEXT), 'the plaintext');
    press('l');
    await expect.element(page.getByText('You have locked the payloads.')).toBeVisible();
    expect(body()).not.toContain(PLAINTEXT);
    expect(app.plaintext.bytes).toBe(0);
    await button('Show payloads').click();
    await until(() => text('g1').includes(PLAINTEXT), 'the plaintext again');
    await expect.element(page.getByText('You have locked the payloads.')).not.toBeInTheDocument();
    expect(app.decodes().every(({ justification }) => justification === undefined)).toBe(true);
  });

  test('plaintext is hidden once the server refuses a request because the policy now requires a justification', async () => {
    const app = await renderRun({ me: automatic() });
    await until(() => text('g1').includes(PLAINTEXT), 'the plaintext');
    await until(
      () => !document.querySelector('[data-masked="waiting"]'),
      'the answers for all payloads in view',
    );
    await app.steer('on-demand');
    // The server refuses this request.
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('vogel{Enter}');
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
    expect(body()).not.toContain(PLAINTEXT);
    expect(app.plaintext.bytes).toBe(0);
    await revealRun();
  });

  test('the page notices a changed policy when the person returns to the page', async () => {
    const app = await renderRun({ me: automatic() });
    await until(() => text('g1').includes(PLAINTEXT), 'the plaintext');
    await app.steer('on-demand');
    // Makes the page's copy of the policy so old that the page requests it again.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000);
    window.dispatchEvent(new Event('visibilitychange'));
    await expect.element(page.getByText('Payloads are shown only with a justification.')).toBeVisible();
    expect(body()).not.toContain(PLAINTEXT);
    expect(app.plaintext.bytes).toBe(0);
  });

  test('the shortcuts dialog lists the commands, and the palette offers Lock', async () => {
    await renderRun({ me: automatic() });
    press('k', document.body, { ctrlKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field of the palette');
    await userEvent.keyboard('lock');
    await expect.element(page.getByRole('option', { name: /Lock payloads/ })).toBeVisible();
    await userEvent.keyboard('{Escape}');
    await until(() => !document.querySelector('[role="dialog"]'), 'no dialog');
    press('?', document.body, { shiftKey: true });
    await expect.element(page.getByText('Reveal payloads of the event, of the run')).toBeVisible();
  });
});

test('a person without the permission sees one notice that it is missing, and no button to reveal payloads', async () => {
  const app = await renderRun({ search: '?ev=1', me: person([inNamespace(newNamespace(), ['metadata'])]) });
  await expect.element(page.getByText('You can see metadata, not payloads.')).toBeVisible();
  expect(button(/^Reveal/).query()).toBeNull();
  press('r');
  press('R', document.body, { shiftKey: true });
  expect(dialog().query()).toBeNull();
  expect(app.decodes()).toEqual([]);
});

test('on a phone, the sheet says why its payloads are hidden, and a row shows its category before a masked name', async () => {
  await page.viewport(390, 844);
  await renderRun({ search: '?ev=1', me: person([inNamespace(newNamespace(), ['metadata'])]) });
  const reason = /To read them, ask the operator of the codec server for the permission decode\./;
  await expect.element(page.getByText(reason)).toBeVisible();
  expect(document.querySelector('[data-ref]')?.textContent.match(/\d K?B/g)).toHaveLength(1);
  const rows = [...document.querySelectorAll<HTMLElement>('[data-key]')].map(({ innerText }) => innerText);
  expect(rows.find((shown) => shown.includes('patch'))).toMatch(/^Marker\n/);
  expect(rows[0]).toMatch(/^Started\n/);
});

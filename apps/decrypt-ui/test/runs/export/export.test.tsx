import { exportRequest, readableExport } from '@temporal-kms/codec-api';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { personWith } from '../../support/people.ts';
import { press, renderApp, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const dialog = () => page.getByRole('dialog', { name: 'Export history' });
const button = (name: string | RegExp) => dialog().getByRole('button', { name });

/** The files that the page has downloaded from memory. */
let downloads: { name: string; content: Blob }[] = [];

beforeEach(() => {
  downloads = [];
  const contents = new Map<string, Blob>();
  const createUrl = URL.createObjectURL.bind(URL);
  vi.spyOn(URL, 'createObjectURL').mockImplementation((content) => {
    const url = createUrl(content);
    if (content instanceof Blob) contents.set(url, content);
    return url;
  });
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function click(this: HTMLAnchorElement) {
    downloads.push({ name: this.download, content: contents.get(this.href) ?? new Blob() });
  });
  // Tests cannot use Chromium's dialog, because it is outside the page.
  vi.stubGlobal('showSaveFilePicker', undefined);
});

async function openDialog(path = order, options: Parameters<typeof renderApp>[1] = {}) {
  const app = await renderApp(path, options);
  await userEvent.click(page.getByRole('button', { name: 'Export', exact: true }));
  await expect.element(dialog()).toBeVisible();
  return app;
}

/** Reveals the whole run, and opens the dialog. */
async function openRevealed() {
  const { namespace, make } = personWith(['metadata', 'decode', 'export'], 'on-demand');
  const app = await renderApp(order, { namespace, session: make });
  await until(() => document.querySelector('[data-key="g1"]'), 'the rows');
  press('R', document.body, { shiftKey: true });
  await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4711');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByText('Revealed: this run')).toBeVisible();
  await userEvent.click(page.getByRole('button', { name: 'Export', exact: true }));
  return app;
}

const asked = (app: Awaited<ReturnType<typeof renderApp>>) =>
  app.asked
    .filter(({ url }) => url.endsWith('history:export'))
    .map(({ body }) => exportRequest.parse(JSON.parse(body)));

describe('a run’s export', () => {
  test('focuses the chosen format first, so that Enter starts the export', async () => {
    const app = await openDialog();
    await expect.element(dialog().getByRole('radio', { name: /^Readable/ })).toHaveFocus();
    await userEvent.keyboard('{ArrowDown}{Enter}');
    await expect.element(dialog().getByText(/^Saved 5\d events, /)).toBeVisible();
    expect(asked(app)).toEqual([{ form: 'decoded' }]);
  });

  test('downloads the decrypted history, and shows how much it saved', async () => {
    const app = await openDialog();
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/^Saved 5\d events, /)).toBeVisible();
    expect(asked(app)).toEqual([{ form: 'readable' }]);
    expect(downloads.map(({ name }) => name)).toEqual([`order-88213.${RUN}.readable.json`]);
    const file = readableExport.parse(JSON.parse(await downloads[0]!.content.text()));
    expect(file.events).toHaveLength(file.summary.events);
    expect(JSON.stringify(file)).toContain('HAM-2');
  });

  test('writes to disk while the response arrives, if the browser permits it', async () => {
    const folder = await navigator.storage.getDirectory();
    const name = `export-${Date.now()}.json`;
    vi.stubGlobal('showSaveFilePicker', () => folder.getFileHandle(name, { create: true }));
    await openDialog();
    await userEvent.click(dialog().getByText('Encoded', { exact: true }));
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/^Saved 5\d events, /)).toBeVisible();
    const text = await (await (await folder.getFileHandle(name)).getFile()).text();
    expect(JSON.parse(text).events.length).toBeGreaterThan(50);
    expect(downloads).toEqual([]);
    await folder.removeEntry(name);
  });

  test('starts nothing when the person closes the browser’s dialog', async () => {
    vi.stubGlobal('showSaveFilePicker', () => Promise.reject(new DOMException('closed', 'AbortError')));
    const app = await openDialog();
    await userEvent.click(button('Export'));
    await expect.element(button('Export')).toBeVisible();
    expect(asked(app)).toEqual([]);
  });

  test('opens its dialog with a keyboard shortcut, and continues after the dialog is closed', async () => {
    const app = await renderApp(order);
    await until(() => document.querySelector('[data-key="g1"]'), 'the rows');
    await app.steer('hold', { count: 10 });
    press('x', document.body);
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByRole('progressbar', { name: 'Exporting' })).toBeVisible();
    await userEvent.keyboard('{Escape}');
    await expect.element(dialog()).not.toBeInTheDocument();
    await app.steer('hold', { on: false });
    await until(() => downloads.length > 0, 'the file');
  });

  test('shows its progress, stops on request and keeps no file', async () => {
    const app = await openDialog();
    await app.steer('hold', { count: 10 });
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/^[1-9]\d* of 5\d events, /)).toBeVisible();
    await userEvent.click(button('Stop'));
    await expect
      .element(dialog().getByText(/^Stopped after \d+ events?\. No file was saved\.$/))
      .toBeVisible();
    expect(downloads).toEqual([]);
  });

  test('keeps no incomplete file, and states why it is incomplete', async () => {
    const app = await openDialog();
    await app.steer('truncate', { count: 12 });
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/sign-in expired while the export/)).toBeVisible();
    expect(downloads).toEqual([]);
    await app.steer('truncate', { count: 100_000 });
    await userEvent.click(button('Export again'));
    await expect.element(dialog().getByText(/^Saved /)).toBeVisible();
    expect(downloads).toHaveLength(1);
  });

  test('explains a broken connection and a refused request', async () => {
    const app = await openDialog();
    await app.steer('hold', { count: 10 });
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByRole('progressbar')).toBeVisible();
    await app.steer('cut');
    await expect.element(dialog().getByText(/connection to the codec server broke/)).toBeVisible();
    await app.steer('refuse');
    await userEvent.click(button('Export again'));
    await expect.element(dialog().getByText(/refused the export/)).toBeVisible();
    expect(downloads).toEqual([]);
  });

  test('asks for a justification if the server requires one, and sends it in the body', async () => {
    const app = await openDialog();
    await app.steer('justify');
    await userEvent.click(button('Export'));
    const field = dialog().getByRole('textbox', { name: 'Justification' });
    await expect.element(field).toBeVisible();
    await userEvent.click(button('Export again'));
    await expect.element(dialog().getByText('Write why you need the plaintext.')).toBeVisible();
    await userEvent.fill(field, 'FOX-4711');
    await userEvent.click(button('Export again'));
    await expect.element(dialog().getByText(/^Saved /)).toBeVisible();
    expect(asked(app)).toEqual([{ form: 'readable' }, { form: 'readable', justification: 'FOX-4711' }]);
    expect(app.asked.every(({ url }) => !url.includes('FOX-4711'))).toBe(true);
  });

  test('asks for a justification at once if the policy requires one, but not for an encoded export', async () => {
    const { namespace, make } = personWith(['metadata', 'export'], 'on-demand');
    await openDialog(order, { namespace, session: make });
    await expect.element(dialog().getByRole('textbox', { name: 'Justification' })).toBeVisible();
    await userEvent.click(dialog().getByText('Encoded', { exact: true }));
    await expect.element(dialog().getByRole('textbox')).not.toBeInTheDocument();
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/^Saved /)).toBeVisible();
  });

  test('uses the justification given when the whole run was revealed, and says so', async () => {
    const app = await openRevealed();
    await expect
      .element(dialog().getByText(/records the export with the same justification, .*PAY-4711/))
      .toBeVisible();
    expect(dialog().getByRole('textbox').query()).toBeNull();
    await userEvent.click(button('Export'));
    await expect.element(dialog().getByText(/^Saved /)).toBeVisible();
    expect(asked(app)).toEqual([{ form: 'readable', justification: 'PAY-4711' }]);
    // Once the reveal has ended, the export asks for a justification again.
    await userEvent.click(button('Another form'));
    await userEvent.keyboard('{Escape}');
    await userEvent.click(page.getByRole('button', { name: 'Lock' }));
    await userEvent.click(page.getByRole('button', { name: 'Export', exact: true }));
    await expect.element(dialog().getByRole('textbox', { name: 'Justification' })).toBeVisible();
  });

  test('does not start if its reveal ends while the user is choosing the file, and asks for a new justification instead', async () => {
    const file = { write: vi.fn(), close: vi.fn(), abort: vi.fn(() => Promise.resolve()) };
    const chosen = Promise.withResolvers<unknown>();
    vi.stubGlobal('showSaveFilePicker', () => chosen.promise);
    const app = await openRevealed();
    await userEvent.click(button('Export'));
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 16 * 60_000);
    chosen.resolve({ createWritable: () => Promise.resolve(file) });
    await until(() => file.abort.mock.calls.length === 1, 'the discarded file');
    document.dispatchEvent(new Event('visibilitychange'));
    await expect.element(dialog().getByRole('textbox', { name: 'Justification' })).toBeVisible();
    expect(asked(app)).toEqual([]);
    expect(file.write).not.toHaveBeenCalled();
  });

  test('names the permission that the person lacks', async () => {
    const { namespace, make } = personWith(['metadata', 'decode']);
    const app = await openDialog(order, { namespace, session: make });
    await expect.element(dialog().getByText(/Ask the operator of the codec server/)).toBeVisible();
    expect(asked(app)).toEqual([]);
  });
});

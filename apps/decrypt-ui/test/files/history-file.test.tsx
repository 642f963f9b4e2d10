import { fileDecodeRequest, fileEventsRequest, fileSearchRequest } from '@temporal-kms/codec-api';
import { describe, expect, inject, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { personWith } from '../support/people.ts';
import { press, renderApp, row, RUN, until } from '../support/render-app.tsx';

const NAME = 'order-88213.encoded.json';

/** An export of a fixture run. */
async function exported(
  form: 'encoded' | 'decoded',
  workflowId = 'order-88213',
  runId = RUN,
): Promise<string> {
  const path = `/api/namespaces/files/workflows/${workflowId}/runs/${runId}/history:export`;
  const response = await fetch(`${inject('fixtures')}${path}`, {
    method: 'POST',
    body: JSON.stringify({ form }),
  });
  return response.text();
}

/** Drops a file on the page, as a browser does. */
function drop(content: BlobPart, name = NAME) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([content], name));
  for (const type of ['dragenter', 'dragover', 'drop']) {
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}

const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const listed = () => until(() => document.querySelector('[role="row"][data-key]'), 'the list');

describe('a history file', () => {
  test('shows its run with decrypted payloads, on the same screens as a run on the server', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await listed();
    const before = app.asked.length;
    drop(await exported('encoded'));
    await expect.element(heading('order-88213')).toBeVisible();
    await until(() => row('g11')?.textContent?.includes('HAM-2'), 'the plaintext');
    await expect.element(page.getByText(NAME)).toBeVisible();
    await expect.element(page.getByRole('tab', { name: /^History 5\d/ })).toBeVisible();
    await expect.element(page.getByRole('tab', { name: /Pending|Relations/ })).not.toBeInTheDocument();
    await userEvent.click(page.getByRole('button', { name: /^input/ }));
    await expect.element(page.getByRole('region', { name: 'Input' })).toBeVisible();

    const inspected = app.asked.filter(({ url }) => url.endsWith('history-files:inspect'));
    const decoded = app.asked.filter(({ url }) => url.endsWith('history-files:decode'));
    for (const { body } of inspected)
      expect(fileEventsRequest.parse(JSON.parse(body))).toMatchObject({ workflowId: 'order-88213' });
    // The page has requested only the payloads of the events in view.
    for (const { body } of decoded) {
      const { events, refs } = fileDecodeRequest.parse(JSON.parse(body));
      expect(events).toHaveLength(new Set(refs.map((ref) => ref.split(':')[0])).size);
    }
    expect(decoded.length).toBeGreaterThan(0);
    expect(app.asked.slice(before).some(({ url }) => url.includes('/runs/'))).toBe(false);
  });

  test('leaves nothing in the address, the browser’s storage or the query cache', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await listed();
    drop(await exported('encoded'));
    await until(() => row('g11')?.textContent?.includes('HAM-2'), 'the plaintext');
    expect(app.history.location.href).toBe(`/ns/${app.namespace}/file`);
    const kept = JSON.stringify([
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      app.queries
        .getQueryCache()
        .getAll()
        .map(({ state }) => state.data),
      app.asked.map(({ url }) => url),
    ]);
    expect(kept).not.toContain('HAM-2');
    expect(kept).not.toContain(NAME);
    expect((await indexedDB.databases()).length).toBe(0);
  });

  test('can be chosen with a button or a keyboard shortcut', async () => {
    await renderApp('/ns/NS/workflows');
    await listed();
    let opened = 0;
    const click = vi.spyOn(HTMLInputElement.prototype, 'click').mockImplementation(() => {
      opened += 1;
    });
    await userEvent.click(page.getByRole('button', { name: 'Open a history file' }));
    await until(() => opened === 1, 'the browser’s dialog');
    press('o', document.body, { ctrlKey: true });
    await until(() => opened === 2, 'the browser’s dialog');
    click.mockRestore();
    const input = document.querySelector<HTMLInputElement>('input[type="file"]')!;
    await userEvent.upload(input, new File([await exported('decoded')], NAME));
    await expect.element(heading('order-88213')).toBeVisible();
  });

  test('does not offer to ask a worker what the run is waiting for', async () => {
    await renderApp('/ns/NS/workflows');
    await listed();
    drop(await exported('encoded', 'payout-eu', '01997c2e-0000-7000-8000-0000000000b1'));
    const card = page.getByRole('region', { name: 'Why' });
    await expect.element(card.getByText('Signal not delivered').first()).toBeVisible();
    expect(card.getByRole('link', { name: 'Ask the worker' }).query()).toBeNull();
  });

  test('can be closed, and its page then shows that no file is open', async () => {
    const app = await renderApp('/ns/NS/file');
    await expect.element(heading('No history file is open')).toBeVisible();
    drop(await exported('encoded'));
    await expect.element(heading('order-88213')).toBeVisible();
    await userEvent.click(page.getByRole('button', { name: 'Close the file' }));
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
    app.history.push(`/ns/${app.namespace}/file`);
    await expect.element(heading('No history file is open')).toBeVisible();
  });

  test.each([
    ['The file is not a workflow history', 'hello'],
    ['The file is empty', ''],
    ['The file is not complete', '{"events":[{"eventId":"1"'],
    ['The history in the file is not complete', '{"events":[{"eventId":"2"}]}'],
    ['The file is damaged', '{"events":[{"eventId":"1",}]}'],
  ])('is not shown if it cannot be read, and the page says why: %s', async (title, content) => {
    await renderApp('/ns/NS/workflows');
    await listed();
    drop(content, 'broken\u202e.json');
    await expect.element(heading(title)).toBeVisible();
    await expect.element(page.getByText('broken\\u202e.json')).toBeVisible();
    drop(await exported('encoded'));
    await expect.element(heading('order-88213')).toBeVisible();
  });

  test('lets the user choose between several runs', async () => {
    const [first, second] = await Promise.all([
      exported('encoded'),
      exported('encoded', 'charge-88213', '01997c2e-0000-7000-8000-0000000000fa'),
    ]);
    await renderApp('/ns/NS/workflows');
    await listed();
    drop(JSON.stringify({ items: [{ history: JSON.parse(first) }, { history: JSON.parse(second) }] }));
    await expect.element(heading('2 runs in the file')).toBeVisible();
    await userEvent.fill(page.getByRole('searchbox'), 'nothing');
    await expect.element(page.getByText('No run in the file matches.')).toBeVisible();
    await userEvent.fill(page.getByRole('searchbox'), '');
    const table = page.getByRole('table', { name: 'Runs in the file' });
    await userEvent.click(table.getByRole('button').nth(1));
    await expect.element(page.getByRole('status', { name: 'Failed' })).toBeVisible();
    await userEvent.click(page.getByRole('button', { name: '2 runs in the file' }));
    await expect.element(table).toBeVisible();
  });

  test('can be searched for text in its decrypted payloads, like a run', async () => {
    const app = await renderApp('/ns/NS/workflows');
    await listed();
    drop(await exported('encoded'));
    await until(() => row('g11')?.textContent?.includes('HAM-2'), 'the plaintext');
    press('F', document.body, { ctrlKey: true, shiftKey: true });
    await userEvent.fill(page.getByRole('textbox', { name: 'Find in decrypted payloads' }), 'HAM-2');
    await userEvent.keyboard('{Enter}');
    const matches = page.getByRole('region', { name: 'Matches' });
    await until(() => matches.query()?.textContent?.includes('/warehouse'), 'the match');
    await until(() => row('g39')?.hasAttribute('data-dimmed'), 'the rows without a match');
    expect(row('g11')!.hasAttribute('data-dimmed')).toBe(false);
    const searches = app.asked.filter(({ url }) => url.endsWith('history-files:search'));
    const sent = searches.map(({ body }) => fileSearchRequest.parse(JSON.parse(body)));
    expect(sent).toMatchObject([{ workflowId: 'order-88213', text: 'HAM-2' }]);
    expect(app.asked.some(({ url }) => url.endsWith('history:search'))).toBe(false);
    expect(app.history.location.href).not.toContain('HAM-2');
  });

  test('shows only metadata to people who may not decode', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp('/ns/NS/workflows', { namespace, session: make });
    await listed();
    drop(await exported('encoded'));
    await until(() => row('g11'), 'the rows');
    await expect.element(page.getByText('You can see metadata, not payloads.')).toBeVisible();
    expect(app.asked.some(({ url }) => url.endsWith(':decode'))).toBe(false);
  });
});

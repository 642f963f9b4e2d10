import { auditSearchRequest } from '@temporal-kms/codec-api';
import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { inNamespace, newNamespace, person, sessionOf } from '../support/people.ts';
import { press, renderApp, row, until } from '../support/render-app.tsx';

const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const field = (name: string) => page.getByRole('textbox', { name });
const ENTRY = '00000000-0000-4000-8000-';
const key = (index: number) => `${ENTRY}${String(index).padStart(12, '0')}`;
const text = (index: number) => row(key(index))?.textContent ?? '';
const rows = () => document.querySelectorAll('[data-key]').length;

const choose = async (menu: string, option: string) => {
  await page.getByRole('button', { name: new RegExp(`^${menu}:`) }).click();
  await page.getByRole('menuitemradio', { name: option }).click();
};

/** Opens the audit page. `searches` returns the search requests that the page has sent. */
async function openAudit(path = '/ns/NS/audit') {
  const app = await renderApp(path);
  await until(() => row(key(1)), 'the rows');
  const searches = () =>
    app.asked
      .filter(({ url }) => url.endsWith('/audit:search'))
      .map(({ body }) => auditSearchRequest.parse(JSON.parse(body)));
  return { ...app, searches };
}

describe('the audit page', () => {
  test('shows each operation in one row, the newest first, with its person, action, run and outcome', async () => {
    await openAudit();
    expect(text(0)).toMatch(/ana\.kovac@northwind\.example.*Decrypt.*order-88213.*#39.*PAY-4417.*No outcome/);
    expect(text(1)).toMatch(/order-88213.*ticket PAY-4417.*Complete, 1 unreadable2$/);
    expect(text(4)).toMatch(/bo\.lindqvist.*Export.*payout-eu.*Cut off208$/);
    expect(text(5)).toMatch(/Export.*kyc-7716.*Denied/);
    expect(text(6)).toMatch(/Denied ×12/);
    await expect.element(page.getByText(/^\d+ operations loaded$/)).toBeVisible();
  });

  test('shows the number of payloads of each operation in a narrow window', async () => {
    await page.viewport(390, 844);
    await openAudit();
    expect(text(1)).toMatch(/PAY-4417.*2 payloads$/);
    expect(text(0)).not.toContain('payload');
  });

  test('loads each page of older lines once, before the user reaches the last row', async () => {
    const { searches } = await openAudit();
    await until(() => {
      press('End');
      return row(key(249));
    }, 'the oldest operation');
    await expect.element(page.getByText('250 operations')).toBeVisible();
    const pages = () => searches().flatMap(({ after }) => after ?? []);
    expect(pages()).toEqual(['200', '400']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(pages()).toHaveLength(2);
  });

  test('filters by person, workflow and justification on Enter, and keeps the person and the justification out of the address', async () => {
    const app = await openAudit();
    await field('Person').fill('bo.lind');
    await field('Justification').fill('reconcil');
    const before = app.searches().length;
    await userEvent.keyboard('{Enter}');
    await until(() => rows() === 1, 'one row');
    expect(text(4)).toContain('Cut off');
    expect(app.searches().slice(before)).toEqual([{ limit: 200, who: 'bo.lind', justification: 'reconcil' }]);
    expect(app.history.location.href).not.toMatch(/lind|reconcil/);
    await field('Workflow id').fill('nowhere');
    await userEvent.keyboard('{Enter}');
    await expect.element(page.getByText('No entry matches the filter')).toBeVisible();
    expect(app.history.location.href).toContain('wf=nowhere');
    await page.getByRole('button', { name: 'Clear filter' }).click();
    await until(() => rows() > 10, 'all rows');
  });

  test('shows the conditions of a new address in the filter, and keeps these conditions when the user adds another', async () => {
    const app = await openAudit();
    await field('Workflow id').fill('nowhere');
    app.history.push(`/ns/${app.namespace}/audit?wf=order-88213`);
    await expect.element(field('Workflow id')).toHaveValue('order-88213');
    await choose('Action', 'Export');
    await until(() => app.searches().at(-1)?.operations, 'the search');
    expect(app.searches().at(-1)).toMatchObject({ operations: ['export'], workflowId: 'order-88213' });
    app.history.push(`/ns/${app.namespace}/audit?since=2026-11-24T13:00:00Z`);
    await expect.element(field('Workflow id')).toHaveValue('');
    await expect.element(page.getByRole('group', { name: 'Between' })).toBeVisible();
  });

  test('filters by the chosen action, outcome and time, and puts them into the address', async () => {
    const app = await openAudit();
    await choose('Outcome', 'Denied');
    await until(() => rows() === 2, 'the denials');
    await choose('Action', 'Export');
    await until(() => rows() === 1 && text(5).includes('kyc-7716'), 'the denied export');
    await choose('Outcome', 'Cut off');
    await until(() => text(4).includes('Cut off'), 'the export that was cut off');
    await choose('Time', 'Last hour');
    await until(() => app.searches().at(-1)?.from, 'the search in the last hour');
    await until(() => rows() === 1, 'the last hour');
    expect(Object.fromEntries(new URLSearchParams(app.history.location.search))).toEqual({
      op: 'export',
      out: 'cut_off',
      last: '1h',
    });
    const last = app.searches().at(-1);
    expect(last).toMatchObject({ operations: ['export'], results: ['cut_off'] });
    expect(Date.now() - Date.parse(last?.from ?? '')).toBeLessThan(3_700_000);
  });

  test('filters between two times in the user’s time zone', async () => {
    const app = await openAudit();
    await page.getByRole('button', { name: /^Time:/ }).click();
    await page.getByRole('menuitemradio', { name: 'Between…' }).click();
    const between = page.getByRole('group', { name: 'Between' });
    await between.getByLabelText('From').fill('2026-11-24T13:00:00');
    await between.getByLabelText('to').fill('2026-11-24T12:00:00');
    await expect.element(between.getByText('The end must be after the start.')).toBeVisible();
    await between.getByLabelText('to').fill('2026-11-24T14:00:00');
    await between.getByRole('button', { name: 'Apply' }).click();
    await until(() => app.searches().at(-1)?.to !== undefined, 'the search');
    expect(app.searches().at(-1)).toMatchObject({
      from: '2026-11-24T13:00:00.000Z',
      to: '2026-11-24T14:00:00.000Z',
    });
  });

  test('opens a row’s details from the keyboard, and returns to the row', async () => {
    await openAudit();
    press('j');
    await until(() => document.activeElement === row(key(0)), 'the first row');
    press('j');
    await until(() => document.activeElement === row(key(1)), 'the second row');
    press('Enter');
    const pane = page.getByRole('complementary', { name: 'Entry' });
    await expect.element(pane.getByText('2 payloads, 1 could not be read')).toBeVisible();
    await expect.element(pane.getByText('subject user-17')).toBeVisible();
    await expect.element(pane.getByText('key_disabled')).toBeVisible();
    await expect.element(pane.getByText('intent')).toBeVisible();
    press('j');
    await expect.element(pane.getByText('312 payloads').first()).toBeVisible();
    press('Escape');
    await expect.element(pane).not.toBeInTheDocument();
    await until(() => document.activeElement === row(key(2)), 'the focus on the row');
  });

  test('links an entry to its event, and restores the filter on Back', async () => {
    const app = await openAudit();
    await field('Person').fill('ana');
    await userEvent.keyboard('{Enter}');
    await until(() => row(key(0)) && !row(key(4)), 'the entries of Ana');
    await page.getByRole('link', { name: 'order-88213' }).first().click();
    await until(() => app.history.location.href.includes('/workflows/order-88213/'), 'the run');
    expect(app.history.location.search).toContain('ev=39');
    app.history.back();
    await until(() => row(key(0)) && !row(key(4)), 'the entries of Ana again');
    await expect.element(field('Person')).toHaveValue('ana');
  });

  test('does not link to a run that the server could not verify', async () => {
    await openAudit();
    expect(text(8)).toContain('order-1 in a file');
    expect(row(key(8))?.querySelector('a')).toBeNull();
  });

  test('stops the search after several pages without an entry, and continues when the user asks', async () => {
    const app = await openAudit();
    await app.steer('audit', { mode: 'sparse' });
    await page.getByRole('button', { name: 'Update' }).click();
    await expect.element(page.getByText('Nothing found yet')).toBeVisible();
    const asked = app.searches().length;
    await page.getByRole('button', { name: 'Search further back' }).click();
    await until(() => app.searches().length >= asked + 16, 'more pages');
    await expect.element(page.getByText('Nothing found yet')).toBeVisible();
    await page.getByRole('button', { name: 'Search further back' }).click();
    await until(() => row(key(0)), 'the entries');
  });
});

describe('the hash chain', () => {
  test('is verified on request, and its last line can be copied', async () => {
    await openAudit();
    press('v');
    const chain = page.getByRole('region', { name: 'Hash chain' });
    await expect.element(chain.getByText(/The chain is intact: 501 lines, 312 KB/)).toBeVisible();
    await expect.element(chain.getByText(/follows line 12 of a rotated file/)).toBeVisible();
    await expect.element(chain.getByRole('button', { name: 'Copy last line' })).toBeVisible();
    await chain.getByRole('button', { name: 'Close' }).click();
    await expect.element(chain).not.toBeInTheDocument();
  });

  test('names the line of the first break', async () => {
    const app = await openAudit();
    await app.steer('audit', { mode: 'broken' });
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    const chain = page.getByRole('region', { name: 'Hash chain' });
    await expect
      .element(chain.getByText(/^The chain is broken at line 112: the line before it/))
      .toBeVisible();
    await expect.element(chain.getByText(/3 problems in 501 lines/)).toBeVisible();
    await expect.element(chain.getByText(/line 240: lines are missing/)).toBeVisible();
  });

  test('is verified by a command on the server if the file is too large', async () => {
    const app = await openAudit();
    await app.steer('audit', { mode: 'too_large' });
    press('v');
    await expect.element(page.getByText('node main.mjs verify-audit FILE')).toBeVisible();
  });
});

describe('the audit export', () => {
  test.each([
    ['Found lines as JSON Lines', 'jsonl'],
    ['Found lines as CSV', 'csv'],
  ])('saves all lines that match: %s', async (item, form) => {
    const app = await openAudit('/ns/NS/audit?op=decode');
    const saved: { name: string; text: Promise<string> }[] = [];
    let blob: Blob | undefined;
    vi.spyOn(URL, 'createObjectURL').mockImplementation((object) => {
      if (object instanceof Blob) blob = object;
      return 'blob:test';
    });
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      saved.push({ name: this.download, text: blob?.text() ?? Promise.resolve('') });
    });
    await page.getByRole('button', { name: /^Export/ }).click();
    await page.getByRole('menuitem', { name: item }).click();
    await until(() => saved.length > 0, 'the file');
    const [file] = saved;
    const lines = (await file!.text).trimEnd().split(/\r?\n/);
    expect(file!.name).toBe(`audit.${app.namespace.replaceAll(/[^\w.-]+/g, '_')}.${form}`);
    // There are 245 decryptions. Each decryption has two lines, except one in progress and one that was
    // denied, which have one line.
    expect(lines).toHaveLength(form === 'csv' ? 489 : 488);
    if (form === 'csv') {
      expect(lines[0]).toMatch(/^time,id,event,operation,name,issuer,subject/);
      expect(lines[1]).toMatch(/intent,decode,ana\.kovac@northwind\.example,company,user-17/);
    } else {
      expect(JSON.parse(lines[0]!)).toMatchObject({ event: 'intent', workflowId: 'order-88213' });
    }
    expect(app.searches().at(-1)).toMatchObject({ limit: 1000, operations: ['decode'] });
  });
});

describe('people who cannot read the audit', () => {
  test('see which permission they lack, but no link to the page', async () => {
    const namespace = newNamespace();
    const { make } = sessionOf(person([inNamespace(namespace, ['metadata', 'decode'])]));
    await renderApp('/ns/NS/audit', { namespace, session: make });
    await expect.element(heading(`You may not read the audit in ${namespace}`)).toBeVisible();
    await expect.element(page.getByRole('definition').filter({ hasText: /^audit$/ })).toBeVisible();
    const nav = page.getByRole('navigation', { name: 'Main' });
    await expect.element(nav.getByRole('link', { name: 'Keys' })).toBeVisible();
    expect(nav.getByRole('link', { name: 'Audit' }).query()).toBeNull();
    await page.getByRole('link', { name: `Workflows of ${namespace}` }).click();
    await expect.element(heading(/^Workflows/)).toBeVisible();
  });

  test('see the query for their log collector if the server writes no file', async () => {
    const app = await openAudit();
    await app.steer('audit', { mode: 'none' });
    // The page may already have requested the next lines, and then shows the same text without a click.
    document.querySelector<HTMLElement>('[aria-label="Update"]')?.click();
    await expect.element(heading('This server cannot read its audit')).toBeVisible();
    await expect.element(page.getByText('labels.log="audit" AND x="y"')).toBeVisible();
    await expect.element(page.getByRole('button', { name: 'Copy the query' })).toBeVisible();
  });
});

test('an auditor without access to workflows starts on the audit page, and the app requests only their permissions and the audit', async () => {
  const namespace = newNamespace();
  const { make } = sessionOf(person([inNamespace(namespace, ['audit'])]));
  const app = await renderApp('/', { namespace, session: make });
  await until(() => row(key(1)), 'the rows');
  expect(app.history.location.pathname).toBe(`/ns/${namespace}/audit`);
  expect(row(key(1))?.querySelector('a')).toBeNull();
  expect([...new Set(app.asked.map(({ url }) => new URL(url).pathname))].toSorted()).toEqual([
    '/api/me',
    `/api/namespaces/${namespace}/audit:search`,
  ]);
  const nav = page.getByRole('navigation', { name: 'Main' });
  expect(
    nav
      .getByRole('link')
      .elements()
      .map((link) => link.textContent),
  ).toEqual(['Audit']);
});

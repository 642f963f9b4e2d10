import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { inNamespace, newNamespace, person, sessionOf } from '../support/people.ts';
import { press, renderApp, until } from '../support/render-app.tsx';

const heading = (name: string | RegExp) => page.getByRole('heading', { name });
const table = (name: string | RegExp) => page.getByRole('table', { name });
const rowOf = (name: string | RegExp, text: string | RegExp) =>
  table(name).getByRole('row').filter({ hasText: text });

const has = (row: ReturnType<typeof rowOf>, text: RegExp) =>
  until(() => text.test(row.query()?.textContent ?? ''), String(text));

describe('the keys page', () => {
  test('shows each version’s state, use and age, the date by which to restore it, and what to do', async () => {
    await renderApp('/ns/NS/keys');
    const versions = table('Key versions');
    await expect.element(versions.getByText('payments', { exact: true })).toBeVisible();
    await expect.element(versions.getByText(/^next rotation .*, every 90 d$/)).toBeVisible();
    const first = rowOf('Key versions', 'v7');
    await has(first, /Enabled\s*encrypts.*4 d old.*9,214/);
    await has(rowOf('Key versions', 'v2'), /Destroys \d+ \w+.*restore before .*, in 5 d/);
    await has(rowOf('Key versions', 'v3'), /Disabled.*enable it to decrypt/);
    await has(rowOf('Key versions', 'v4').last(), /Enabled.*decrypts, primary/);
    await has(rowOf('Key versions', 'formats that record no version'), /31/);
    expect(rowOf('Key versions', 'Destroyed').elements()).toHaveLength(2);
  });

  test('states which process counted the payloads and failures, and since when', async () => {
    await renderApp('/ns/NS/keys');
    await expect
      .element(page.getByText(/All other counts come from the server process that answered, since/))
      .toBeVisible();
  });

  test('leads from a failure to its event', async () => {
    const app = await renderApp('/ns/NS/keys');
    const failures = table('Recent failures');
    await expect.element(failures.getByText('integrity_failed')).toBeVisible();
    await failures.getByRole('link', { name: 'every-reason' }).first().click();
    await until(
      () => app.history.location.href.endsWith('every-reason/01997c2e-0000-7000-8000-0000000000ea?ev=5'),
      'the event',
    );
  });

  test('lists all failures on request, and the minutes of the last hour as a table', async () => {
    await renderApp('/ns/NS/keys');
    const count = () => table('Recent failures').getByRole('row').elements().length;
    await expect.element(table('Recent failures')).toBeVisible();
    expect(count()).toBe(9);
    await page.getByRole('button', { name: 'Show all 12' }).click();
    await until(() => count() === 13, 'all failures');
    await page.getByRole('button', { name: 'As table' }).click();
    await expect.element(rowOf('Last hour', 'Key disabled: 9').first()).toBeVisible();
  });

  test('shows an outage of Cloud KMS at the top, next to each key and in the test’s result', async () => {
    const app = await renderApp('/ns/NS/keys');
    await expect.element(table('Key versions')).toBeVisible();
    await app.steer('outage');
    await page.getByRole('button', { name: 'Update' }).click();
    await expect.element(page.getByText('KMS unreachable', { exact: true }).first()).toBeVisible();
    await page.getByRole('button', { name: 'Test the keys' }).click();
    await expect.element(rowOf(/^Test at/, 'kms_unavailable')).toBeVisible();
    await expect.element(rowOf(/^Test at/, 'permission_denied')).toBeVisible();
  });

  test('tests the keys when the user presses T, and shows how long Cloud KMS took', async () => {
    const app = await renderApp('/ns/NS/keys');
    await expect.element(table('Key versions')).toBeVisible();
    press('t');
    await has(rowOf(/^Test at/, 'payments'), /Passed\s*v7\s*18 ms\s*23 ms/);
    await has(rowOf(/^Test at/, 'kyc'), /Passed.*the permission to decrypt/);
    const sent = app.asked.filter(({ url }) => url.endsWith('/keys:test'));
    expect(sent.map(({ body }) => body)).toEqual(['{}']);
  });

  test('disables the test for people who may not decrypt, and names the permission that they need', async () => {
    const namespace = newNamespace();
    const { make } = sessionOf(person([inNamespace(namespace, ['metadata'])]));
    const app = await renderApp('/ns/NS/keys', { namespace, session: make });
    await expect.element(table('Key versions')).toBeVisible();
    const button = page.getByRole('button', { name: 'Test the keys' });
    await expect.element(button).toHaveAttribute('aria-disabled', 'true');
    await expect.element(button).toHaveAttribute('data-tip', expect.stringContaining('decode permission'));
    press('t');
    expect(app.asked.some(({ url }) => url.endsWith('/keys:test'))).toBe(false);
  });

  test('tells people who may not see the namespace which permission they lack', async () => {
    const { make } = sessionOf(person([inNamespace('payments-prod', ['metadata'])]));
    await renderApp('/ns/identity-prod/keys', { session: make });
    await expect.element(heading('You may not read keys in identity-prod')).toBeVisible();
  });
});

const region = (name: RegExp) => page.getByRole('region', { name });

describe('the last scan', () => {
  test('is shown with its date, what it covered and found, and what it did not cover', async () => {
    await renderApp('/ns/NS/keys');
    const scan = region(/^Scan of .* incomplete$/);
    await expect
      .element(scan.getByText(/^5 h 56 m ago; it does not include what was written later/))
      .toBeVisible();
    await expect
      .element(scan.getByText(/212 open runs, 18,430 closed runs \(not all\), 3 schedules, no archived runs/))
      .toBeVisible();
    await expect.element(scan.getByText('18 payloads in 2 histories under old-2023 v1')).toBeVisible();
    await expect.element(scan.getByText(/^3 payloads in 1 history in plaintext/)).toBeVisible();
    await expect.element(scan.getByText('Temporal does not list archived runs.')).toBeVisible();
    await expect.element(scan.getByText('Payloads are outside of Temporal. (12)')).toBeVisible();
  });

  test('counts the stored payloads of each version, and names the histories that need a version', async () => {
    await renderApp('/ns/NS/keys');
    await expect
      .element(table('Key versions').getByRole('columnheader', { name: 'Stored, by the scan' }))
      .toBeVisible();
    await has(rowOf('Key versions', 'v7'), /40,112in 6,480, 180 open9,214/);
    await has(
      rowOf('Key versions', 'v3'),
      /412in 60, 3 open57.*enable it to decrypt; 60 stored histories need it/,
    );
    await has(rowOf('Key versions', 'v2'), /restore before .*; 4 stored histories need it/);
    await has(rowOf('Key versions', 'they may need any version'), /31in 931/);
    // The scan did not cover everything, so the page calls no version unneeded.
    expect(rowOf('Key versions', 'found no history that needs it').elements()).toEqual([]);
  });

  test('marks a version as unneeded only if the scan covered everything', async () => {
    const app = await renderApp('/ns/NS/keys');
    await app.steer('scan', { scan: 'complete' });
    await page.getByRole('button', { name: 'Update' }).click();
    await expect.element(region(/^Scan of .* complete$/)).toBeVisible();
    await has(
      rowOf('Key versions', 'v2'),
      /; the scan found no history that needs it; run temporal-kms may-destroy 2 for this key/,
    );
    // Version 1 of kyc was used after the scan, and version 4 of payments is already destroyed.
    const unneeded = rowOf('Key versions', 'the scan found no history that needs it');
    expect(unneeded.elements()).toHaveLength(2);
    await has(unneeded.first(), /lost for good; the scan found no history that needs it$/);
  });

  test.each([
    ['not_configured', /^No scan of stored histories$/],
    ['not_scanned', /^The scan of .* did not include this namespace$/],
  ])('is replaced by instructions to run one: %s', async (mode, title) => {
    const app = await renderApp('/ns/NS/keys');
    await app.steer('scan', { scan: mode });
    await page.getByRole('button', { name: 'Update' }).click();
    await expect.element(page.getByText(title)).toBeVisible();
    await expect
      .element(page.getByText(`temporal-kms scan --namespace ${app.namespace} --out scan.json`))
      .toBeVisible();
    expect(
      table('Key versions').getByRole('columnheader', { name: 'Stored, by the scan' }).query(),
    ).toBeNull();
  });

  test('is replaced by an explanation if it cannot be shown', async () => {
    const app = await renderApp('/ns/NS/keys');
    await app.steer('scan', { scan: 'unreadable' });
    await page.getByRole('button', { name: 'Update' }).click();
    await expect.element(page.getByText('The last scan cannot be shown')).toBeVisible();
    await expect.element(page.getByText(/is not JSON: it may be truncated/)).toBeVisible();
  });
});

describe('namespace pages', () => {
  test('can be reached from the bar, with keyboard shortcuts and from the palette', async () => {
    const app = await renderApp('/ns/NS/workflows');
    const nav = page.getByRole('navigation', { name: 'Main' });
    await nav.getByRole('link', { name: 'Keys' }).click();
    await expect.element(heading('Keys')).toBeVisible();
    expect(app.history.location.pathname).toBe(`/ns/${app.namespace}/keys`);
    press('W', document.body, { shiftKey: true });
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list');
    press('K', document.body, { shiftKey: true });
    await until(() => app.history.location.pathname.endsWith('/keys'), 'the keys');
    await userEvent.keyboard('{Control>}k{/Control}');
    await userEvent.keyboard('go to work');
    await expect.element(page.getByRole('option', { name: /Go to workflows/ })).toBeVisible();
    await userEvent.keyboard('{Enter}');
    await until(() => app.history.location.pathname.endsWith('/workflows'), 'the list again');
  });

  test('stay open when the user changes the namespace', async () => {
    const app = await renderApp('/ns/payments-prod/keys');
    await page.getByRole('button', { name: /^Namespace:/ }).click();
    await page.getByRole('menuitemradio', { name: 'identity-prod' }).click();
    await until(() => app.history.location.pathname === '/ns/identity-prod/keys', 'the other keys');
  });

  test('are in the namespace’s menu on a phone', async () => {
    await page.viewport(390, 844);
    const app = await renderApp('/ns/NS/workflows');
    await page.getByRole('button', { name: /^Namespace:/ }).click();
    await page.getByRole('menuitemradio', { name: 'Keys' }).click();
    await until(() => app.history.location.pathname.endsWith('/keys'), 'the keys');
  });
});

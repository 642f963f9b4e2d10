import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { newNamespace, onDemand, personWith, sessionOf } from '../../support/people.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

const failed = '/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa';
const stuck = '/ns/NS/workflows/alerts-stuck/01997c2e-a000-7000-8000-000000000001';
const retrying = `/ns/NS/workflows/order-88213/${RUN}`;
const MESSAGE = '402 from acquirer, code 05';

const card = () => document.querySelector<HTMLElement>('section[aria-label="Why"]');
const line = () => card()?.textContent.replaceAll(/\s+/g, ' ') ?? '';
const cardButton = (name: string | RegExp) =>
  page.getByRole('region', { name: 'Why' }).getByRole('button', { name });
const fold = async () => {
  await userEvent.click(cardButton('All findings'));
  await until(() => card()?.querySelector('ul'), 'the findings');
};
const untilLine = (pattern: RegExp) => until(() => pattern.test(line()), String(pattern));

describe('the card Why', () => {
  test('shows the root message of a failed run first, then where it happened', async () => {
    await renderApp(failed);
    await untilLine(
      /402 from acquirer, code 05 · StripeCardError · in activity charge · attempt 1 · non-retryable failure · at capture \(capture\.ts:88:11\) .* ActivityFailure › ApplicationFailure: CardDeclined › StripeCardError/,
    );
  });

  test('leads to the failure’s event', async () => {
    await renderApp(failed);
    await untilLine(/402/);
    await userEvent.click(cardButton(/^Event/));
    await until(() => row('e7')?.getAttribute('aria-selected') === 'true', 'the event');
  });

  test('shows a failing workflow task’s message and attempt, and what else is wrong', async () => {
    await renderApp(stuck);
    await untilLine(/activity type does not match .*the code does not match the history · .*attempt 14/);
    await untilLine(/Cancellation requested/);
    await fold();
    expect(line()).toContain('by ana@acme.example · reason: ordered twice');
    expect(line()).toContain('Deploy code that replays this history');
  });

  test('shows an activity’s last failure, its attempt, and when Temporal tries again', async () => {
    await renderApp(retrying);
    await untilLine(/503 · AdyenUnavailable · .*attempt 3 of 8 · next try in \d+ m.* · queue payments/);
  });

  test('shows who paused the run, and why', async () => {
    await renderApp('/ns/NS/workflows/alerts-paused/01997c2e-a000-7000-8000-000000000002');
    await untilLine(/Paused · by ana@acme\.example · reason: waiting for the bank/);
  });

  test('says that no worker polls the task queue on which the run waits', async () => {
    await renderApp('/ns/NS/workflows/stuck-no-worker/01997c2e-dddd-7000-8000-000000000003');
    await untilLine(
      /No worker takes the workflow task .*queue settlement · no worker is polling the task queue/,
    );
  });

  test('lists all activities that fail repeatedly, and leads to their events', async () => {
    await renderApp('/ns/NS/workflows/alerts-retrying/01997c2e-a000-7000-8000-000000000006');
    await untilLine(
      /the bank is closed · BankClosed .*activity transferFunds .*attempt 88 · next try in (59|60) m/,
    );
    await fold();
    await untilLine(/activity notify .*attempt 6/);
    await userEvent.click(cardButton('Event 2').first());
    await until(() => row('g2')?.getAttribute('aria-selected') === 'true', 'the event');
  });

  test.each([
    ['a failed run', failed, /402/],
    [
      'a short run that completed',
      '/ns/NS/workflows/long-numbers/01997c2e-0000-7000-8000-0000000000f2',
      /No step failed/,
    ],
  ])('does not move the rows of %s when it loads', async (_, path, text) => {
    await renderApp(path);
    const first = await until(() => row('g1'), 'the rows');
    const { top } = first.getBoundingClientRect();
    await untilLine(text);
    expect(first.getBoundingClientRect().top).toBe(top);
  });

  test('decrypts the payload that its own line shows, whichever tab is open', async () => {
    const app = await renderApp(`${stuck}?tab=metadata`);
    await untilLine(/activity type does not match/);
    expect(app.refs().filter((ref) => !ref.startsWith('0:'))).toContain('4:0');
  });

  test('says, before the whole history has been read, why a long run failed', async () => {
    const rest = /history\?after=200&/;
    await renderApp('/ns/NS/workflows/long-failed/01997c2e-0000-7000-8000-0000000000fc', {
      session: (actions) =>
        withoutSignIn('open', (input, init) =>
          rest.test(input instanceof Request ? input.url : input.toString())
            ? new Promise<Response>(() => undefined)
            : actions.fetch(input, init),
        ),
    });
    await untilLine(/the batch is empty/);
    expect(document.querySelector('footer')?.textContent).toContain('200 of about 302 events');
  });

  test('leads to a comparison with the last completed run of the same type', async () => {
    const app = await renderApp(failed);
    await untilLine(/402/);
    await userEvent.click(cardButton('Last good run'));
    await until(() => app.history.location.pathname.endsWith('/compare'), 'the comparison');
    const asked = app.asked.map(({ url }) => decodeURIComponent(url).replaceAll('+', ' '));
    expect(
      asked.some((url) => url.includes(`WorkflowType = "ChargePayment" AND ExecutionStatus = 'Completed'`)),
    ).toBe(true);
  });
});

describe('the card for a run with locked payloads', () => {
  test('shows only types and names, and reveals messages on request', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp(failed, { namespace: me.namespaces[0]!.name, session: sessionOf(me).make });
    await untilLine(/StripeCardError · in activity charge/);
    await fold();
    expect(line()).toContain('Messages are locked');
    expect(app.refs()).toEqual([]);
    await userEvent.click(cardButton(/^Reveal/));
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await untilLine(/402 from acquirer/);
    press('l');
    await until(() => !document.body.textContent.includes(MESSAGE), 'no plaintext');
    expect(line()).toContain('StripeCardError');
  });

  test('says that a person without the permission cannot read the messages', async () => {
    const { namespace, make } = personWith(['metadata']);
    const app = await renderApp(failed, { namespace, session: make });
    await untilLine(/StripeCardError · in activity charge/);
    await fold();
    expect(line()).toContain('you lack the permission');
    expect(app.refs()).toEqual([]);
    expect(cardButton(/^Reveal/).query()).toBeNull();
  });

  test('copies no locked message into a ticket', async () => {
    const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    const me = onDemand(newNamespace());
    await renderApp(failed, { namespace: me.namespaces[0]!.name, session: sessionOf(me).make });
    await untilLine(/StripeCardError/);
    await userEvent.click(cardButton('Copy for a ticket'));
    await until(() => copied.mock.calls.length > 0, 'the copy');
    expect(copied.mock.calls[0]![0]).toContain('StripeCardError (message not decrypted)');
  });
});

const table = () => document.querySelector('section[aria-label="Critical path"]');

describe('the critical path', () => {
  test('dims the rows that did not affect the run’s duration, and lists where the time went', async () => {
    const app = await renderApp(retrying);
    await until(() => row('g39'), 'the rows');
    expect(document.querySelector('[data-dimmed]')).toBeNull();
    press('w');
    await until(() => table(), 'the table');
    expect(app.history.location.search).toContain('path=true');
    // This activity ran in parallel with a slower activity.
    await until(() => row('g11')?.hasAttribute('data-dimmed'), 'a dimmed row');
    expect(row('g12')?.hasAttribute('data-dimmed')).toBe(false);
    expect(table()?.textContent).toContain('ScoreFraudRisk');
    expect(table()?.textContent).not.toContain('ReserveInventory');
    expect(table()?.textContent).toMatch(/Workflow task #\d/);
    press('w');
    await until(() => !table() && !document.querySelector('[data-dimmed]'), 'no table and no dimmed row');
  });
});

import { type ReasonCode, reasonCode } from '@temporal-kms/codec-api';
import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../../src/session/sign-in/session.ts';
import { press, renderApp, row, RUN, until } from '../../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const rowsShown = () => document.querySelectorAll('[role="treegrid"] [data-key]').length;
const text = (key: string) => row(key)?.textContent ?? '';

const block = (title: string) =>
  [...document.querySelectorAll('section')].find(
    (section) => section.querySelector('h3')?.textContent === title,
  )!;
const tabbable = () =>
  [...document.querySelectorAll('[data-key]')].filter((element) => element.getAttribute('tabindex') === '0');

describe('the history table', () => {
  test('groups an activity’s events, and when expanded shows them, and the attempts that Temporal did not record', async () => {
    await renderApp(order);
    const group = await until(() => row('g39'), 'the activity');
    expect(group.getAttribute('aria-level')).toBe('1');
    expect(group.getAttribute('aria-expanded')).toBe('false');
    await userEvent.click(group.querySelector('button[aria-label="Expand"]')!);
    await until(() => row('e44'), 'its last event');
    expect(['g39', 'e39', 'a39', 'e43', 'e44'].every((key) => row(key))).toBe(true);
    expect(row('e44')!.getAttribute('aria-level')).toBe('2');
    expect(text('a39')).toContain('Attempts 1–4');
    expect(text('a39')).toContain('not recorded by Temporal');
  });

  test('hides workflow tasks unless they failed or are not durable, and shows all events on request', async () => {
    await renderApp(order);
    await until(() => row('g59'), 'the task that is not durable');
    expect(text('g59')).toContain('not yet durable');
    expect(row('g2')).toBeNull();
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await until(() => row('e2'), 'the first task');
  });

  test('decrypts the payloads in view: summaries, results, a failure message, a timer’s name', async () => {
    await renderApp(order);
    await until(() => text('g1').includes('3 items to DE'), 'the summary');
    await until(() => text('g39').includes('Declined: do_not_honor'), 'the failure');
    await until(() => text('g22').includes('reviewDeadline'), 'the name of the timer');
    await until(() => text('g20').includes('fraud-review-v3'), 'the patch’s id');
    await until(() => text('g11').includes('HAM-2'), 'the result');
  });

  test('shows the last word of a long name, and the second at which a timer fires', async () => {
    await renderApp(order);
    await until(() => text('g55').includes('within window 17'), 'the name of the timer');
    expect(text('g55')).toMatch(/1 d, fires .+ \d\d:\d\d:\d\d/);
    const [begin, end] = [...row('g55')!.querySelectorAll<HTMLElement>('[class*="_name_"] > span')];
    expect(begin!.scrollWidth).toBeGreaterThan(begin!.clientWidth);
    expect(end!.textContent).toBe(' 17');
    const cell = end!.closest('[role="gridcell"]')!;
    expect(end!.getBoundingClientRect().right).toBeLessThan(cell.getBoundingClientRect().right);
  });

  test('labels a pending activity’s failure “last failure” as soon as the next attempt is due', async () => {
    await renderApp('/ns/NS/workflows/alerts-retrying/01997c2e-a000-7000-8000-000000000006');
    await until(() => /the bank is closedretries in/.test(text('g2')), 'the failure and the next attempt');
    expect(text('g2')).not.toContain('last failure');
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 2 * 3_600_000);
    await until(() => text('g2').includes('last failure: the bank is closed'), 'the failure alone');
  });

  test('requests no payload that is out of view', async () => {
    const app = await renderApp(`/ns/NS/workflows/long-2500/01997c2e-0000-7000-8000-0000000000b1`);
    await until(() => text('g2').includes('DE1'), 'the first payload');
    await new Promise((resolve) => setTimeout(resolve, 400));
    const ids = app.refs().map((ref) => Number(ref.split(':')[0]));
    expect(Math.max(...ids)).toBeLessThan(80);
    expect(ids.length).toBeLessThan(100);
  });

  test('draws few elements for ten thousand events at any scroll position', async () => {
    await renderApp(`/ns/NS/workflows/long-10000/01997c2e-0000-7000-8000-0000000000b1`);
    await until(
      () => document.querySelector('[role="treegrid"]')?.getAttribute('aria-rowcount') === '10001',
      'all rows',
    );
    expect(rowsShown()).toBeLessThan(80);
    // The footer counts only the payloads in view.
    expect(document.querySelector('footer')?.textContent).not.toContain('payload');
    expect(document.querySelectorAll('*').length).toBeLessThan(3000);
    const scroller = document.querySelector('[role="treegrid"]')!;
    scroller.scrollTop = scroller.scrollHeight / 2;
    await until(() => row('g5000'), 'a row in the middle');
    expect(rowsShown()).toBeLessThan(80);
    await until(() => text('g5000').includes('DE4999'), 'its payload');
  });

  test('aborts a request for payloads that have been scrolled out of view', async () => {
    const app = await renderApp(`/ns/NS/workflows/long-10000/01997c2e-0000-7000-8000-0000000000b1`);
    await until(() => row('g5'), 'the first rows');
    const scroller = await until(
      () => document.querySelector('[role="treegrid"][aria-rowcount="10001"]'),
      'all rows',
    );
    // The result in the header is always in view. If one request asked for the result and for rows, it would not be
    // aborted.
    await until(() => !document.querySelector('[data-masked]'), 'the plaintext of the payloads in view');
    await app.steer('delay', { delay: 60_000 });
    scroller.scrollTop = 100_000;
    const asked = await until(() => app.asked.find(({ body }) => body.includes('"3580:0"')), 'the request');
    expect(asked.signal?.aborted).toBe(false);
    // Resets the delay only after the abort, because the server reads the delay when the request arrives.
    scroller.scrollTop = 200_000;
    await until(() => asked.signal?.aborted, 'the abort');
    await app.steer('delay', { delay: 0 });
    scroller.scrollTop = 250_000;
    await until(() => text('g8935').includes('DE8934'), 'what is in view now');
  });
});

/** Returns the response without its heartbeats. */
function withoutHeartbeats(response: Response): Response {
  let rest = '';
  const lines = new TransformStream<string, string>({
    transform(chunk, controller) {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (!part.includes('"heartbeat"')) controller.enqueue(`${part}\n`);
    },
  });
  const body = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(lines);
  return new Response(body?.pipeThrough(new TextEncoderStream()), response);
}

const everyReason = '/ns/NS/workflows/every-reason/01997c2e-0000-7000-8000-0000000000ea';
/** The id of the event with a reason code. The run has one event for each reason code, after its first event. */
const eventWith = (code: ReasonCode) => reasonCode.options.indexOf(code) + 2;
const rowWith = (code: ReasonCode) => `g${eventWith(code)}`;

describe('unreadable payloads', () => {
  test('show a title for every reason code, and the key version', async () => {
    await renderApp(everyReason);
    const shown = (code: ReasonCode) =>
      until(() => row(rowWith(code))?.querySelector(`[data-reason="${code}"]`), `the reason ${code}`);
    await shown('integrity_failed');
    expect(text(rowWith('integrity_failed'))).toContain('Integrity failed');
    await expect.element(page.getByText(/^\d+ payloads unreadable$/)).toBeVisible();
    await shown('key_disabled');
    expect(text(rowWith('key_disabled'))).toContain('Key disabled');
    expect(text(rowWith('key_disabled'))).toContain('v3');
    expect((await shown('key_destroyed')).getAttribute('data-outcome')).toBe('failed');
    expect((await shown('kms_unavailable')).getAttribute('data-outcome')).toBe('timed-out');
    expect((await shown('permission_denied')).getAttribute('data-outcome')).toBe('pending');
    const plaintext = rowWith('not_encrypted');
    await shown('not_encrypted');
    expect(text(plaintext)).toContain('seen by everyone');
  });

  test('are explained in the inspector, with the reason code and the command that restores the key', async () => {
    await renderApp(`${everyReason}?ev=${eventWith('key_disabled')}`);
    const note = await until(
      () => document.querySelector('[data-inspector] [data-reason="key_disabled"]'),
      'the note',
    );
    expect(note.textContent).toContain('kyc v3 is disabled');
    expect(note.textContent).toContain('restorable');
    expect(note.textContent).toContain('key_disabled');
    await expect.element(page.getByRole('button', { name: 'Copy command' })).toBeVisible();
  });

  test('are requested again while Cloud KMS is unavailable, and decrypted when it is available', async () => {
    const app = await renderApp('/ns/NS/workflows', {});
    await app.steer('outage', { on: true });
    app.history.push(order.replace('NS', app.namespace));
    await until(() => text('g11').includes('KMS unreachable'), 'the reason');
    await until(() => document.body.textContent?.includes('Cloud KMS unavailable'), 'the banner');
    await app.steer('outage', { on: false });
    await until(() => text('g11').includes('HAM-2'), 'the plaintext');
  });
});

describe('the inspector', () => {
  test('shows a link’s event, expands its group and scrolls to it', async () => {
    await renderApp(`${order}?ev=44`);
    const event = await until(() => row('e44'), 'the event');
    await until(() => event.getAttribute('aria-selected') === 'true', 'its selection');
    const inspector = await until(() => document.querySelector('[data-inspector]'), 'the inspector');
    expect(inspector.textContent).toContain('CapturePayment');
    await until(() => {
      const { top, bottom } = event.getBoundingClientRect();
      return top > 0 && bottom < innerHeight;
    }, 'the scroll');
  });

  test('shows a link’s event in a long history once the event is loaded', async () => {
    await renderApp('/ns/NS/workflows/long-2500/01997c2e-0000-7000-8000-0000000000b1?ev=2000');
    const table = await until(() => document.querySelector('[role="treegrid"]'), 'the table');
    const { width } = table.getBoundingClientRect();
    const event = await until(() => row('g2000'), 'the event');
    // The table has left space for the inspector from the start.
    expect(table.getBoundingClientRect().width).toBe(width);
    expect(event.getAttribute('aria-selected')).toBe('true');
    await until(() => event.getBoundingClientRect().bottom < innerHeight, 'the scroll');
  });

  test('shows a failure from the outermost level to the root cause, with types and stack traces', async () => {
    await renderApp(`${order}?ev=39&pane=failure`);
    const failure = await until(() => block('Failure'), 'the failure');
    const messages = () => [...failure.querySelectorAll('li')].map((item) => item.textContent ?? '');
    // The row also requests the outermost message, so the messages may arrive in any order.
    await until(() => messages()[2]?.includes('402 from acquirer, code 05'), 'the root cause');
    await until(() => messages()[1]?.includes('Card declined: do_not_honor'), 'its effect');
    await until(() => messages()[0]?.includes('Declined: do_not_honor'), 'the outermost level');
    expect(messages()).toHaveLength(3);
    expect(messages()[0]).toContain('PaymentDeclined');
    expect(messages()[2]).toContain('StripeCardError');
    // The root cause's stack trace is open.
    await until(
      () => failure.textContent?.includes('CapturePayment /srv/payments/src/activities.ts:41:20'),
      'a frame',
    );
    expect(failure.textContent).not.toContain('node_modules');
    await userEvent.click(page.getByRole('button', { name: '1 frame of libraries' }).first());
    await until(
      () => failure.textContent?.includes('node_modules/@temporalio/worker'),
      'the frames of libraries',
    );
  });

  test('shows each encoding in a suitable form, and draws only the visible part of a long payload', async () => {
    await renderApp('/ns/NS/workflows/every-encoding/01997c2e-0000-7000-8000-0000000000ec?ev=2');
    for (const [title, content] of [
      ['Input 0', 'plain: "text"'],
      ['Input 1', 'in two lines'],
      ['Input 2', '00 25 4a'],
      ['Input 3', 'json/protobuf'],
      ['Input 4', 'The payload is empty'],
    ] as const)
      await until(() => block(title)?.textContent?.includes(content), title);
    block('Input 5').scrollIntoView();
    await until(() => block('Input 5').textContent?.includes('index: 0'), 'the long payload');
    expect(block('Input 5').querySelectorAll('div').length).toBeLessThan(120);
  });

  test('opens without moving the focus, follows the active row, and closes with Escape', async () => {
    const app = await renderApp(order);
    const first = await until(() => row('g1'), 'the first row');
    first.focus();
    // The rows' commands are ready a moment after the rows.
    await until(() => {
      press('Enter', first);
      return document.querySelector('[data-inspector]');
    }, 'the inspector');
    expect(document.activeElement).toBe(first);
    press('j');
    await until(() => document.activeElement === row('g5'), 'the focus on the next row');
    await until(
      () => document.querySelector('[data-inspector]')?.textContent?.includes('ValidateOrder'),
      'the next group',
    );
    await until(() => app.history.location.search.includes('ev=5'), 'the address');
    press('Escape');
    await until(() => !document.querySelector('[data-inspector]'), 'the closed inspector');
    expect(document.activeElement).toBe(row('g5'));
  });
});

describe('a page that is loading', () => {
  test('says before the first heartbeat that the link’s event has not happened yet, and shows it when it happens', async () => {
    const app = await renderApp(`${order}?ev=61`, {
      session: ({ fetch }) =>
        withoutSignIn('open', async (input, init) => {
          const response = await fetch(input, init);
          const url = input instanceof Request ? input.url : String(input);
          return url.includes('/history?') ? withoutHeartbeats(response) : response;
        }),
    });
    await expect.element(page.getByText('This run has no event 61 yet')).toBeVisible();
    expect(document.querySelector('[aria-label="Width of the inspector"]')).toBeNull();
    await app.steer('append', { workflowId: 'order-88213', count: 4 });
    await until(() => row('g61')?.getAttribute('aria-selected') === 'true', 'the event');
    await until(() => document.querySelector('[data-inspector]'), 'the inspector');
    await expect.element(page.getByText('This run has no event 61 yet')).not.toBeInTheDocument();
  });

  test('says that the run has no event with the link’s id yet', async () => {
    await renderApp(`${order}?ev=999`);
    await expect.element(page.getByText('This run has no event 999 yet')).toBeVisible();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await expect.element(page.getByText('This run has no event 999 yet')).not.toBeInTheDocument();
  });

  test('shows the workflow id, and placeholders in the table’s columns, until the run has loaded', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const app = await renderApp('/ns/NS/workflows', {
      session: ({ fetch }) =>
        withoutSignIn('open', async (input, init) => {
          const url = input instanceof Request ? input.url : String(input);
          if (url.includes('/workflows/order-88213')) await released;
          return fetch(input, init);
        }),
    });
    await until(() => document.querySelector('[aria-label="Workflows"] [data-key]'), 'the list');
    app.history.push(order.replace('NS', app.namespace));
    const waiting = await until(() => document.querySelector('[aria-busy="true"] h1'), 'the page');
    expect(waiting.textContent).toBe('order-88213');
    await until(() => document.querySelector('[data-skeleton]'), 'the placeholders');
    release();
    await until(() => row('g39'), 'the rows');
    expect(document.querySelector('[data-skeleton]')).toBeNull();
  });

  test('reserves the width of the largest event id before the events arrive', async () => {
    await renderApp('/ns/NS/workflows/long-10000/01997c2e-0000-7000-8000-0000000000b1');
    await until(() => row('g5'), 'the first rows');
    expect(document.querySelector('[data-digits]')!.getAttribute('data-digits')).toBe('5');
  });
});

describe('a running workflow', () => {
  test('adds new events at the end without moving the rows, and shows how many events are new', async () => {
    const app = await renderApp('/ns/NS/workflows/payout-eu/01997c2e-0000-7000-8000-0000000000b1');
    const scroller = await until(
      () => document.querySelector('[role="treegrid"][aria-rowcount="401"]'),
      'the rows',
    );
    scroller.scrollTop = 1000;
    await until(() => row('g50'), 'a row in the middle');
    const before = row('g50')!.getBoundingClientRect().top;
    await app.steer('append', { workflowId: 'payout-eu', count: 12 });
    const pill = page.getByRole('button', { name: '12 new events' });
    await expect.element(pill).toBeVisible();
    expect(row('g50')!.getBoundingClientRect().top).toBe(before);
    await pill.click();
    await until(() => row('g412'), 'the last row');
    await until(() => text('g412').includes('late412'), 'its payload');
    await expect.element(pill).not.toBeInTheDocument();
  });

  test('continues after the connection breaks, without losing or repeating an event', async () => {
    const app = await renderApp('/ns/NS/workflows/payout-eu/01997c2e-0000-7000-8000-0000000000b1');
    await until(() => document.querySelector('[role="treegrid"][aria-rowcount="401"]'), 'the rows');
    await app.steer('cut');
    await app.steer('append', { workflowId: 'payout-eu', count: 3 });
    await until(() => document.querySelector('[role="treegrid"][aria-rowcount="404"]'), 'the new rows');
    expect(app.asked.some(({ url }) => url.includes('history?after=400'))).toBe(true);
  });

  test('replaces an event that was not durable with the durable event', async () => {
    const app = await renderApp(order);
    await until(() => text('g59').includes('not yet durable'), 'the task');
    await app.steer('append', { workflowId: 'order-88213', count: 1 });
    await until(() => text('g59').includes('late59'), 'the signal in its place');
    expect(text('g59')).not.toContain('not yet durable');
  });

  test('shows that the run has closed as soon as it closes', async () => {
    const app = await renderApp(order);
    await expect.element(page.getByRole('status', { name: 'Running' })).toBeVisible();
    await app.steer('close', { workflowId: 'order-88213' });
    await expect.element(page.getByRole('status', { name: 'Completed' })).toBeVisible();
  });

  test('does not show the next attempt’s time as the time when work was scheduled', async () => {
    await renderApp('/ns/NS/workflows/alerts-retrying/01997c2e-a000-7000-8000-000000000006?tab=pending');
    const item = await until(
      () =>
        [...document.querySelectorAll('article')].find((each) => each.textContent?.includes('Backing off')),
      'the work',
    );
    expect(item.textContent).toContain('Next attemptin ');
    expect(item.textContent).not.toContain('Scheduled');
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 2 * 3_600_000);
    await until(() => item.textContent?.includes('Next attemptdue'), 'the due attempt');
    expect(item.textContent).not.toContain('Scheduled');
  });

  test('shows pending work with its attempt, its last failure and its heartbeat', async () => {
    await renderApp(`${order}?tab=pending`);
    const panel = await until(() => document.querySelector('[role="tabpanel"] article'), 'an activity');
    await until(() => panel.textContent?.includes('503'), 'the last failure');
    expect(panel.textContent).toContain('CaptureViaAdyen');
    expect(panel.textContent).toContain('3 of 8');
    await until(() => document.body.textContent?.includes('drafted: 2'), 'the heartbeat');
  });
});

const status = () => document.querySelector('[role="search"]')?.textContent ?? '';
const matchButtons = () => [...document.querySelectorAll('[aria-label="Matches"] button[aria-current]')];

describe('find', () => {
  test('dims rows that do not match, and jumps between matches', async () => {
    await renderApp(order);
    await until(() => row('g59'), 'the last row');
    const shown = rowsShown();
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('capture');
    await until(() => row('g5')?.hasAttribute('data-dimmed'), 'the dimming');
    expect(row('g39')!.hasAttribute('data-dimmed')).toBe(false);
    expect(rowsShown()).toBe(shown);
    await userEvent.keyboard('{Enter}');
    await until(() => row('g39')?.getAttribute('aria-selected') === 'true', 'the first match');
    await until(() => status().includes('1 of 2'), 'its position');
    await userEvent.keyboard('{Enter}');
    await until(() => row('g53')?.getAttribute('aria-selected') === 'true', 'the second match');
    await userEvent.keyboard('{Escape}');
    await until(() => !document.querySelector('[role="search"]'), 'the closed search');
    await until(() => document.activeElement === row('g53'), 'the focus on the row');
    await until(() => !row('g5')?.hasAttribute('data-dimmed'), 'no dimming');
  });

  test('searches the names of events that arrive later', async () => {
    const app = await renderApp(order);
    await until(() => row('g39'), 'the rows');
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('late6');
    await until(() => status().includes('None found'), 'no match yet');
    await app.steer('append', { workflowId: 'order-88213', count: 3 });
    await until(() => status().includes('2 found'), 'the later events');
  });

  test('states that no name matches, and offers a payload search, whose hits it lists and marks', async () => {
    const app = await renderApp(order);
    await until(() => row('g39'), 'the rows');
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('vogel');
    await until(() => status().includes('No name, type, id or worker contains this text'), 'the answer');
    expect(document.querySelector('[data-dimmed]')).toBeNull();
    expect(app.asked.some(({ url }) => url.includes('search'))).toBe(false);
    await page.getByRole('button', { name: 'Find in decrypted payloads' }).click();
    const hits = await until(() => matchButtons().length > 0 && matchButtons(), 'the matches');
    expect(hits[0]!.textContent).toContain('/customer/');
    expect(hits[0]!.querySelector('mark')!.textContent).toMatch(/vogel/i);
    // The text around a match is part of the button's name, and the click below finds the button by its name.
    await until(
      () => matchButtons().every((hit) => !hit.querySelector('[aria-label="masked"]')),
      'the text around',
    );
    expect(
      matchButtons()
        .map(({ textContent }) => textContent)
        .join(),
    ).toContain('@mail.example');
    await until(() => row('g5')?.hasAttribute('data-dimmed'), 'the dimming');
    await until(() => /(\d+) of \1 events, \d+ payloads searched/.test(status()), 'what was searched');
    expect(status()).toContain('1 Cloud KMS call');
    expect(status()).toMatch(/1 payload could not be searched: Key disabled(?! \()/);
    expect(document.querySelector('[aria-label="Whole run"] i[class*="match"]')).not.toBeNull();
    await userEvent.click(matchButtons()[0]!);
    await until(() => document.querySelector('[data-inspector]'), 'the event of the match');
    expect(matchButtons()[0]!.getAttribute('aria-current')).toBe('true');
  });

  test('searches payloads on Enter if no name contains the text, even if the user presses Enter early', async () => {
    const app = await renderApp(order);
    await until(() => row('g39'), 'the rows');
    const requests = () => app.asked.filter(({ url }) => url.endsWith('history:search'));
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('Capture');
    await until(() => status().includes('2 found'), 'the names');
    await userEvent.keyboard('{Enter}');
    await until(() => status().includes('1 of 2'), 'the first name');
    expect(requests()).toEqual([]);
    await userEvent.clear(page.getByRole('search').getByRole('textbox'));
    await userEvent.keyboard('vogel{Enter}');
    await until(() => matchButtons().length > 0, 'the places in payloads');
    expect(requests().map(({ body }) => JSON.parse(body).text)).toEqual(['vogel']);
    expect(status()).not.toContain('None found');
  });

  test('never puts the search text into the address, the title or the browser’s storage', async () => {
    const app = await renderApp(order);
    await until(() => row('g39'), 'the rows');
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('maren{Enter}');
    await until(() => matchButtons().length > 0, 'the matches');
    const addresses = [...app.asked.map(({ url }) => url), app.history.location.href, location.href];
    const kept = [document.title, Object.entries(localStorage), Object.entries(sessionStorage)];
    expect(JSON.stringify([addresses, kept])).not.toMatch(/maren/i);
    const request = app.asked.find(({ url }) => url.endsWith('history:search'));
    expect(JSON.parse(request!.body)).toMatchObject({ text: 'maren', order: 'newest_first' });
  });

  test('stops a payload search on Escape, and later continues after the last searched event', async () => {
    const app = await renderApp('/ns/NS/workflows/payout-eu/01997c2e-0000-7000-8000-0000000000b1');
    await until(() => document.querySelector('[role="treegrid"][aria-rowcount="401"]'), 'the rows');
    await app.steer('hold', { count: 20 });
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('DE{Enter}');
    await until(() => matchButtons().length > 1, 'the first matches');
    expect(document.querySelector('[role="progressbar"][aria-label="Searching payloads"]')).not.toBeNull();
    await userEvent.keyboard('{Escape}');
    const asked = app.asked.find(({ url }) => url.endsWith('history:search'))!;
    await until(() => asked.signal?.aborted, 'the end of the request');
    await app.steer('hold', { on: false });
    await page.getByRole('button', { name: 'Continue' }).click();
    await until(() => status().includes('400 of 400 events'), 'the whole run');
    const again = app.asked.filter(({ url }) => url.endsWith('history:search'));
    expect(JSON.parse(again[1]!.body).after).toBeLessThanOrEqual(400);
    // No match is missing or repeated.
    expect(document.querySelector('[aria-label="Matches"] header')!.textContent).toMatch(
      /(\d+) in \1 events/,
    );
  });

  test('shows only the rows that match', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('capture');
    await page.getByRole('checkbox', { name: 'Only matches' }).click();
    await until(() => rowsShown() === 2, 'the two rows');
    expect(row('g39')).not.toBeNull();
    expect(row('g53')).not.toBeNull();
  });

  test('asks for a justification if the namespace requires one', async () => {
    const app = await renderApp(order);
    await app.steer('justify', { on: true });
    await until(() => row('g39'), 'the rows');
    press('f', document.body, { ctrlKey: true, shiftKey: true });
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('vogel{Enter}');
    await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
    await userEvent.keyboard('{Enter}');
    await until(() => matchButtons().length > 0, 'the matches');
    const last = app.asked.findLast(({ url }) => url.endsWith('history:search'));
    expect(JSON.parse(last!.body).justification).toBe('PAY-4417');
  });
});

describe('jumps', () => {
  test('jumps to failed rows and to pending rows', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    await page.getByRole('button', { name: '1 failed, go to the next' }).click();
    await until(() => row('g39')?.getAttribute('aria-selected') === 'true', 'the failed row');
    press('p');
    await until(() => row('g53')?.getAttribute('aria-selected') === 'true', 'the next pending row');
  });

  test('keeps only the active row in the tab order', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    expect(tabbable()).toHaveLength(1);
    press('j');
    await until(() => document.activeElement === row('g1'), 'the focus on the first row');
    press('j');
    await until(() => document.activeElement === row('g5'), 'the focus on the second row');
    expect(tabbable()).toHaveLength(1);
  });
});

const tabs = () =>
  page
    .getByRole('tab')
    .elements()
    .map(({ textContent }) => textContent);

test('the page shows no count that is zero', async () => {
  await renderApp('/ns/NS/workflows/long-charge/01997c2e-0000-7000-8000-0000000000fb?ev=4');
  await until(() => row('g5'), 'the activity');
  await expect
    .poll(() => tabs().join(' '))
    .toBe('History11 Now Pending Relations Durations Memo Metadata Payloads Attributes Raw Crypto');
  expect(page.getByRole('button', { name: /(failed|pending), go to the next/ }).query()).toBeNull();
});

test('the page writes no plaintext into the address, the title or the browser’s storage', async () => {
  const app = await renderApp(`${order}?ev=39`);
  await until(() => document.body.textContent?.includes('maren.vogel@mail.example'), 'the plaintext');
  for (const place of [
    app.history.location.href,
    location.href,
    document.title,
    JSON.stringify(Object.entries(localStorage)),
    JSON.stringify(Object.entries(sessionStorage)),
    document.cookie,
  ]) {
    expect(place).not.toMatch(/maren|4242|do_not_honor/i);
  }
  expect(await indexedDB.databases()).toEqual([]);
  expect(await caches.keys()).toEqual([]);
});

test('the page drops a namespace’s plaintext when the user leaves the namespace', async () => {
  const app = await renderApp(`${order}?ev=39`);
  await until(() => text('g11').includes('HAM-2'), 'the plaintext');
  expect(app.plaintext.bytes).toBeGreaterThan(0);
  app.history.push('/ns/empty/workflows');
  await until(
    () => document.body.textContent?.includes('No workflows in this namespace yet'),
    'the other namespace',
  );
  await until(() => app.plaintext.bytes === 0, 'an empty cache');
});

test('the page says that a run does not exist, and links to the latest run', async () => {
  await renderApp('/ns/NS/workflows/order-88213/00000000-0000-7000-8000-000000000000');
  await expect.element(page.getByText('This run does not exist')).toBeVisible();
  await page.getByRole('link', { name: 'Latest run' }).click();
  await until(() => row('g39'), 'the latest run');
});

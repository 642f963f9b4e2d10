import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../src/session/sign-in/session.ts';
import { press, renderApp, RUN, row, until } from '../support/render-app.tsx';

/* What a person on call may encounter: data at Temporal's limits, and servers that fail halfway. */

type Change = (url: URL, body: unknown) => unknown;

/** Renders the application with a server whose responses to some requests are changed. */
const renderChanged = (path: string, change: Change) =>
  renderApp(path, {
    session: ({ fetch: send }) =>
      withoutSignIn('open', async (input, init) => {
        const response = await send(input, init);
        const url = new URL(input instanceof Request ? input.url : String(input));
        if (!response.headers.get('content-type')?.startsWith('application/json')) return response;
        const changed = change(url, await response.clone().json());
        return changed === undefined ? response : Response.json(changed);
      }),
  });

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const isDescription = (url: URL) => url.pathname.endsWith('/workflows/order-88213');
const isList = (url: URL) => url.pathname.endsWith('/workflows');
const rows = () => [...document.querySelectorAll<HTMLElement>('[role="treegrid"] [data-index]')];
const items = () => [...document.querySelectorAll<HTMLElement>('[data-item]')];
const body = () => document.body.textContent ?? '';
const widest = () => document.documentElement.scrollWidth;

/** Returns a copy of a JSON value, with the value at a path replaced by the result of `part`. */
function withPart(value: unknown, path: readonly string[], part: (before: unknown) => unknown): unknown {
  const copy: unknown = structuredClone(value);
  let place: unknown = copy;
  for (const name of path.slice(0, -1)) place = Reflect.get(Object(place), name);
  const last = path.at(-1) ?? '';
  Reflect.set(Object(place), last, part(Reflect.get(Object(place), last)));
  return copy;
}

/** Gives a run two thousand pending activities, one of which is being retried after a failure. */
const many = (url: URL, answer: unknown) =>
  isDescription(url)
    ? withPart(answer, ['details', 'pendingActivities'], () =>
        Array.from({ length: 2_000 }, (_, index) => ({
          activityId: String(index),
          activityType: { name: 'ChargeCard' },
          state: 'PENDING_ACTIVITY_STATE_SCHEDULED',
          attempt: index === 1_700 ? 9 : 1,
          ...(index === 1_700 && {
            lastFailure: { message: 'The acquirer is down', applicationFailureInfo: { type: 'Outage' } },
          }),
        })),
      )
    : undefined;

/** Changes the type and the task queue in a run's description, and also the id of the first run of a list. */
const renamed = (name: string) => (url: URL, answer: unknown) => {
  if (isDescription(url)) {
    const named = withPart(answer, ['workflow', 'type'], () => name);
    return withPart(named, ['workflow', 'taskQueue'], () => name);
  }
  return isList(url)
    ? withPart(answer, ['workflows', '0'], (first) => ({
        ...Object(first),
        workflowId: name,
        type: name,
        taskQueue: name,
      }))
    : undefined;
};

const LONG = `order-${'0123456789'.repeat(99)}`;
const MIXED = 'طلب-عاجل-1001 👩🏽‍🚀 订单';

describe('a run with two thousand pending activities', () => {
  test('shows failing activities first, and the other activities on request', async () => {
    await renderChanged(`${order}?tab=pending`, many);
    await until(() => document.querySelectorAll('article').length > 0, 'the pending work');
    expect(document.querySelectorAll('article').length).toBeLessThanOrEqual(50);
    await until(
      () => document.querySelector('article')?.textContent.includes('The acquirer is down'),
      'its failure, first',
    );
    await userEvent.click(page.getByRole('button', { name: /^Show more/ }));
    await until(() => document.querySelectorAll('article').length > 50, 'more of them');
    // The tab's label counts all activities.
    expect(page.getByRole('tab', { name: /^Pending/ }).element().textContent).toMatch(/2,\d{3}/);
  });
});

describe('ids and names of a thousand characters or in other scripts', () => {
  test.each([
    [1440, LONG],
    [390, LONG],
    [1440, MIXED],
    [390, MIXED],
  ])('fit a list and a run of %i px', async (width, name) => {
    await page.viewport(width, 844);
    const list = await renderChanged('/ns/NS/workflows', renamed(name));
    await until(() => rows().length > 5, 'the rows');
    expect(body()).toContain(name.slice(0, 8));
    expect(widest()).toBeLessThanOrEqual(width);
    const heights = new Set(rows().map((each) => each.getBoundingClientRect().height));
    expect(heights.size).toBe(1);
    await list.screen.unmount();

    const run = await renderChanged(order, renamed(name));
    await until(() => row('g1'), 'the rows of the run');
    expect(widest()).toBeLessThanOrEqual(width);
    // The history's rows stay in view.
    expect(row('g1')!.getBoundingClientRect().bottom).toBeLessThan(600);
    await run.screen.unmount();
  });
});

describe('a server that fails halfway', () => {
  test('gets a request for the rest of a list only when the user asks for the rest', async () => {
    let asked = 0;
    let broken = true;
    await renderApp('/ns/NS/workflows', {
      session: ({ fetch: send }) =>
        withoutSignIn('open', (input, init) => {
          const url = new URL(input instanceof Request ? input.url : String(input));
          if (!isList(url) || !url.searchParams.has('pageToken') || !broken) return send(input, init);
          asked += 1;
          const error = { code: 'bad_request', message: 'The page token has expired.' };
          return Promise.resolve(Response.json({ error }, { status: 400 }));
        }),
    });
    await until(() => rows().length > 10, 'the rows');
    const grid = document.querySelector('[role="treegrid"]')!;
    grid.scrollTop = grid.scrollHeight;
    await until(() => body().includes('The page token has expired.'), 'the reason');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(asked).toBeLessThanOrEqual(3);
    // The loaded rows stay on the page.
    expect(rows().length).toBeGreaterThan(10);
    broken = false;
    await userEvent.click(page.getByRole('button', { name: 'Try again' }));
    await until(() => /[2-3]\d\d of 345 loaded|200 of 345/.test(body()), 'the next page');
    expect(body()).not.toContain('The page token has expired.');
  });

  test('does not change a run’s page when the page cannot request the description again', async () => {
    let broken = false;
    let refused = 0;
    const app = await renderApp(`${order}?ev=39`, {
      session: ({ fetch: send }) =>
        withoutSignIn('open', (input, init) => {
          const url = new URL(input instanceof Request ? input.url : String(input));
          if (!broken || !isDescription(url)) return send(input, init);
          refused += 1;
          const error = { code: 'temporal_unavailable', message: 'Temporal does not answer.' };
          return Promise.resolve(Response.json({ error }, { status: 503 }));
        }),
    });
    await until(() => row('g39'), 'the rows');
    broken = true;
    await app.steer('append', { workflowId: 'order-88213', count: 1 });
    await until(() => refused > 0, 'a request');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(row('g39')?.getAttribute('aria-selected')).toBe('true');
    expect(body()).not.toContain('could not be loaded');
  });
});

describe('a browser that does not let the page copy', () => {
  test('is reported when copying fails, even if the user used a keyboard shortcut to copy an id', async () => {
    const failed: PromiseRejectionEvent[] = [];
    const onRejection = (event: PromiseRejectionEvent) => failed.push(event);
    addEventListener('unhandledrejection', onRejection);
    const clipboard = Object.getOwnPropertyDescriptor(Navigator.prototype, 'clipboard')!;
    // The clipboard is missing, as on a page that is served without HTTPS.
    Object.defineProperty(Navigator.prototype, 'clipboard', { configurable: true, get: () => undefined });
    try {
      await renderApp('/ns/NS/workflows');
      await until(() => rows().length > 10, 'the rows');
      press('j');
      await until(() => document.activeElement === rows()[0], 'the focus');
      press('c');
      await until(() => body().includes('Copying failed'), 'the report');
      expect(failed).toEqual([]);
    } finally {
      Object.defineProperty(Navigator.prototype, 'clipboard', clipboard);
      removeEventListener('unhandledrejection', onRejection);
    }
  });
});

describe('a window that becomes narrow', () => {
  test('gives the steps of compared runs the height that they need', async () => {
    const [first, second] = ['01997c2e-0000-7000-8000-00000000c0a1', '01997c2e-0000-7000-8000-00000000c0a2'];
    await renderApp(`/ns/NS/workflows/refund-7/${first}/compare?run=${second}`);
    await until(() => items().length > 3, 'the steps');
    await page.viewport(390, 844);
    await until(() => items()[0]!.getBoundingClientRect().height > 60, 'the height of a phone');
    await until(() => {
      const boxes = items().map((item) => item.getBoundingClientRect());
      return boxes.slice(1).every(({ top }, index) => top >= boxes[index]!.bottom - 1);
    }, 'steps that do not overlap');
  });
});

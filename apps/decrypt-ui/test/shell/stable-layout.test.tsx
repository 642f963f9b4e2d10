import { workflowCount } from '@temporal-kms/codec-api';
import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../src/session/sign-in/session.ts';
import { press, renderApp, row, RUN, until } from '../support/render-app.tsx';

const body = () => document.body.textContent ?? '';
const rows = () => document.querySelectorAll('[role="treegrid"] [data-index]').length;

/** The left edges of the visible elements that contain text. */
function places(): Map<Element, number> {
  const found = new Map<Element, number>();
  for (const element of document.querySelectorAll('#main *, footer *')) {
    const isText = [...element.childNodes].some(({ nodeType }) => nodeType === Node.TEXT_NODE);
    if (isText && element.checkVisibility({ visibilityProperty: true }))
      found.set(element, Math.round(element.getBoundingClientRect().left));
  }
  return found;
}

/** The text of each element that was visible before and has moved since. */
function moved(before: ReadonlyMap<Element, number>): string[] {
  const after = places();
  return [...before].flatMap(([element, left]) => {
    const now = after.get(element);
    return now === undefined || now === left ? [] : `${element.textContent}: ${left} to ${now}`;
  });
}

/**
 * Renders the list. Counts arrive once `answer` resolves, or fail if it rejects, and include a status that most lists
 * lack.
 */
async function listWithLateCounts(answer: Promise<unknown>) {
  await renderApp('/ns/NS/workflows', {
    session: ({ fetch }) =>
      withoutSignIn('open', async (input, init) => {
        const url = input instanceof Request ? input.url : String(input);
        if (!url.includes('workflows:count')) return fetch(input, init);
        await answer;
        const counted = workflowCount.parse(await (await fetch(input, init)).json());
        return Response.json({ ...counted, byStatus: { ...counted.byStatus, Terminated: 3 } });
      }),
  });
  await until(() => rows() > 10, 'the rows');
}

const numeric = (element: Element) => getComputedStyle(element).fontVariantNumeric;

test('digits have equal widths in number columns, and names keep their natural letter widths', async () => {
  await renderApp('/ns/NS/workflows/family-order/01997c2e-f000-7000-8000-000000000001');
  const cell = await until(
    () => document.querySelector('[role="row"] > [role="gridcell"]:nth-child(5)'),
    'a duration',
  );
  expect(numeric(cell)).toBe('tabular-nums');
  expect(numeric(page.getByRole('heading', { name: 'family-order' }).element())).toBe('normal');
  expect(numeric(document.querySelector('time')!)).toBe('tabular-nums');
});

test('the top bar does not move when one of its menus opens', async () => {
  await renderApp('/ns/NS/workflows');
  await until(() => rows() > 10, 'the rows');
  const button = page.getByRole('button', { name: /^Time zone/ });
  const { left } = button.element().getBoundingClientRect();
  await button.click();
  await expect.element(page.getByRole('menu')).toBeVisible();
  expect(button.element().getBoundingClientRect().left).toBe(left);
});

describe('the list', () => {
  test('does not move when its counts arrive after the rows', async () => {
    // The durations of open runs must not grow, because longer text would begin further left.
    vi.spyOn(Date, 'now').mockReturnValue(Date.now());
    const { promise, resolve } = Promise.withResolvers<undefined>();
    await listWithLateCounts(promise);
    const terminated = page.getByRole('button', { name: 'Terminated 3' });
    expect(terminated.query()).toBeNull();
    const before = places();
    expect(before.size).toBeGreaterThan(30);
    resolve(undefined);
    await expect.element(terminated).toBeVisible();
    await until(() => body().includes('100 of 345 loaded'), 'the total');
    expect(moved(before)).toEqual([]);
  });

  test('shows the status buttons without numbers if counting fails', async () => {
    const failure = Promise.reject(new TypeError('Failed to fetch'));
    // Without this handler, the rejection would count as unhandled until the page requests the counts.
    failure.catch(() => undefined);
    await listWithLateCounts(failure);
    await expect.element(page.getByRole('button', { name: 'Running –' })).toBeVisible();
  });
});

/** The left edges of the keys in the footer. */
const hints = () =>
  new Map(
    [...document.querySelectorAll('footer [aria-hidden] > span')].map((hint) => [
      hint,
      Math.round(hint.getBoundingClientRect().left),
    ]),
  );

/** The position of a bar whose activity has ended. */
const ended = () =>
  row('g11')?.querySelector('[role="gridcell"][aria-hidden] [style]')?.getAttribute('style');

describe('a run', () => {
  const order = `/ns/NS/workflows/order-88213/${RUN}`;
  test('keeps its footer’s keys in place when more keys become available', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    const before = hints();
    expect(before.size).toBeGreaterThan(4);
    press('/');
    await until(() => document.activeElement?.tagName === 'INPUT', 'the field');
    await userEvent.keyboard('Capture');
    await until(() => document.querySelector('footer')?.textContent.includes('next match'), 'more keys');
    const after = hints();
    expect(after.size).toBe(before.size + 2);
    for (const [hint, left] of before) expect(after.get(hint), hint.textContent).toBe(left);
  });

  test('moves the bars of completed work only every few seconds while the run is open', async () => {
    // The page shows the run two minutes after a gap of days, while an activity is in progress.
    await renderApp(order);
    await until(ended, 'a bar');
    const grid = document.querySelector('[role="treegrid"]')!;
    const now = Date.now();
    const clock = vi.spyOn(Date, 'now');
    const lefts = new Set<string | null | undefined>();
    const texts = new Set<string | null>();
    for (let second = 1; second <= 24; second += 1) {
      clock.mockReturnValue(now + second * 1000);
      document.dispatchEvent(new Event('visibilitychange'));
      await new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(resolve));
      });
      lefts.add(ended());
      texts.add(grid.textContent);
    }
    // Unlike the bars, the durations of work in progress change every second.
    expect(texts.size).toBeGreaterThan(20);
    expect(lefts.size).toBeGreaterThan(1);
    expect(lefts.size).toBeLessThanOrEqual(8);
  });
});

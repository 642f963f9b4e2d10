import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { renderApp, row, RUN, until } from '../support/render-app.tsx';

const order = `/ns/NS/workflows/order-88213/${RUN}`;
const cell = (id: string) => document.querySelector<HTMLElement>(`[data-column="${id}"]`);
const width = (id: string) => Math.round(cell(id)?.getBoundingClientRect().width ?? 0);
const left = (id: string) => Math.round(cell(id)?.getBoundingClientRect().left ?? 0);
const handle = (name: string) => page.getByRole('separator', { name: `Width of ${name}`, exact: true });

async function drag(name: string, by: number) {
  const element = handle(name).element();
  // The browser cannot capture the pointer of a synthetic event.
  element.setPointerCapture = () => undefined;
  const pointer = (type: string, clientX: number) =>
    element.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX, bubbles: true }));
  pointer('pointerdown', 500);
  pointer('pointermove', 500 + by);
  pointer('pointerup', 500 + by);
}

describe('list columns', () => {
  test('can be resized by dragging, and keep their widths for the next visit', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[data-index]'), 'the rows');
    expect(width('type')).toBe(204);
    await drag('Type', -80);
    await until(() => width('type') === 284, 'a wider column');
    expect(localStorage.getItem('decrypt-ui.preferences')).toContain('"list.type":284');
    await userEvent.dblClick(handle('Type'));
    await until(() => width('type') === 204, 'the usual width');
  });

  test('can be resized with keys, and have one tab stop in total', async () => {
    await renderApp('/ns/NS/workflows');
    await until(() => document.querySelector('[data-index]'), 'the rows');
    expect(document.querySelectorAll('[role="columnheader"] [tabindex="0"]')).toHaveLength(1);
    cell('status')!.querySelector<HTMLElement>('[role="separator"]')!.focus();
    await userEvent.keyboard('{ArrowRight}{ArrowRight}');
    await until(() => width('status') === 156, 'a wider column');
    await userEvent.keyboard('{ArrowDown}');
    expect(document.activeElement).toBe(handle('Type').element());
    await userEvent.keyboard('{ArrowRight}');
    await until(() => width('type') === 196, 'a narrower column');
    await userEvent.keyboard('{Enter}{ArrowUp}{Enter}');
    await until(() => width('status') === 140 && width('type') === 204, 'the usual widths');
  });
});

describe('history columns', () => {
  test('can be resized by dragging their borders, which also changes the width of the cells in the rows', async () => {
    await renderApp(order);
    await until(() => row('g39'), 'the rows');
    const start = left('start');
    await drag('Start', -40);
    // The border may be off by up to a pixel, because dragging rounds the waterfall's width to whole pixels.
    await until(() => Math.abs(left('start') - start + 40) <= 1, 'the border under the pointer');
    const wider = width('event') + 60;
    await drag('Event', 60);
    await until(() => width('event') === wider, 'a wider column');
    const cells = row('g39')!.querySelectorAll('[role="gridcell"]');
    expect(Math.round(cells[1]!.getBoundingClientRect().width)).toBe(wider);
    await drag('Waterfall', 50);
    const waterfall = width('waterfall');
    expect(localStorage.getItem('decrypt-ui.preferences')).toContain(`"history.waterfall":${waterfall}`);
  });
});

import type { Page } from '@playwright/test';
import { untilText } from './browser.ts';
import { MARK } from './histories.ts';

/** Adds a function `isDecoded()` to the page. The function returns whether every row in view shows plaintext. */
async function addIsDecoded(page: Page): Promise<void> {
  await page.evaluate((mark) => {
    globalThis.isDecoded = () => {
      const grid = document.querySelector('[role="treegrid"]');
      if (!grid) throw new Error('The page has no table.');
      const box = grid.getBoundingClientRect();
      const rows = [...grid.querySelectorAll('[data-index]')].filter((row) => {
        const { top, bottom } = row.getBoundingClientRect();
        return top > box.top + 40 && bottom < box.bottom;
      });
      return rows.length > 5 && rows.every((row) => row.textContent.includes(mark));
    };
  }, MARK);
}

declare global {
  // oxlint-disable-next-line no-var -- a global of the measured page
  var isDecoded: () => boolean;
}

async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await untilText(page, MARK, performance.now());
  await page.waitForTimeout(3_000);
  await addIsDecoded(page);
}

/**
 * Scrolls to `places` positions in the history, and returns for each the milliseconds until the rows in view are
 * decoded.
 */
export async function rowsInView(page: Page, url: string, places: number): Promise<number[]> {
  await open(page, url);
  return page.evaluate(async (most) => {
    const grid = document.querySelector('[role="treegrid"]');
    if (!grid) throw new Error('The page has no table.');
    const waits: number[] = [];
    for (let place = 1; place <= most; place += 1) {
      grid.scrollTop = (place / (most + 1)) * (grid.scrollHeight - grid.clientHeight);
      const start = performance.now();
      // Wait, because the rows of the previous position are still in the document.
      await new Promise((resolve) => setTimeout(resolve, 20));
      while (!globalThis.isDecoded() && performance.now() - start < 10_000)
        await new Promise((resolve) => requestAnimationFrame(resolve));
      waits.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return waits;
  }, places);
}

/** The duration of a reveal of all payloads, in milliseconds. */
export interface Reveal {
  /** The time from the click to the first plaintext. */
  readonly first: number;
  /** The time from the click until every row in view shows plaintext. */
  readonly all: number;
}

/** Locks and reveals all payloads `times` times. The server has cached the payloads' keys. */
export async function reveals(page: Page, url: string, times: number): Promise<Reveal[]> {
  await open(page, url);
  const found: Reveal[] = [];
  for (let time = 0; time < times; time += 1) {
    await page.keyboard.press('l');
    await page.getByRole('button', { name: 'Show payloads' }).waitFor();
    await page.waitForTimeout(500);
    const reveal = await page.evaluate(async (mark) => {
      const grid = document.querySelector('[role="treegrid"]');
      if (grid?.textContent.includes(mark))
        throw new Error('The page shows plaintext although it is locked.');
      const start = performance.now();
      [...document.querySelectorAll('button')]
        .find((button) => button.textContent === 'Show payloads')
        ?.click();
      let first = 0;
      while (!globalThis.isDecoded() && performance.now() - start < 10_000) {
        if (!first && grid?.textContent.includes(mark)) first = performance.now() - start;
        await new Promise((resolve) => setTimeout(resolve));
      }
      const all = performance.now() - start;
      return { first: first || all, all };
    }, MARK);
    found.push(reveal);
    await page.waitForTimeout(500);
  }
  return found;
}

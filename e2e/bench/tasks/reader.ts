import type { Locator, Page } from '@playwright/test';

/** A person's actions until the answer is on the screen, and the time that the page takes. */
export interface Effort {
  /** Number of clicks, key presses, wheel turns and swipes, and of times that text was typed or pasted. */
  readonly actions: number;
  readonly seconds: number;
}

/**
 * Pixels per wheel turn, and per swipe on a phone. The number is small, so that scrolling skips no part of a short
 * panel.
 */
const TURN = 300;
const SWIPE = 150;
/** The width in pixels below which the page is displayed as on a phone. */
const PHONE_BELOW = 720;
const MOST_TURNS = 60;
const PATIENCE = { timeout: 60_000 } as const;

/**
 * Returns whether an element with a text is in the window, and is neither cut off nor covered. This
 * function runs in the page.
 */
function isOnScreen(wanted: string): boolean {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- Playwright sends only this function to the page
  const flat = (element: Element) => element.textContent.replaceAll(/\s+/g, ' ');
  const smallest = [...document.querySelectorAll('body *')].filter(
    (element) =>
      flat(element).includes(wanted) && ![...element.children].some((child) => flat(child).includes(wanted)),
  );
  return smallest.some((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const [box] = range.getClientRects();
    if (!box || box.width === 0) return false;
    const hit = document.elementFromPoint(box.left + Math.min(box.width / 2, 40), box.top + box.height / 2);
    return hit !== null && (element.contains(hit) || hit.contains(element));
  });
}

/**
 * Simulates a person who needs no time to think: each action follows as soon as its elements are on the page.
 */
export class Reader {
  page: Page;
  #actions = 0;
  #start = performance.now();

  constructor(page: Page) {
    this.page = page;
  }

  /** Starts the clock. Call this method when the page shows the screen from which the person begins. */
  begin(): void {
    this.#actions = 0;
    this.#start = performance.now();
  }

  effort(): Effort {
    return { actions: this.#actions, seconds: (performance.now() - this.#start) / 1_000 };
  }

  /** Clicks a target. If the target is out of view, turns the wheel first. */
  async click(target: Locator): Promise<void> {
    await target.waitFor({ state: 'attached', ...PATIENCE });
    await this.#bring(target);
    this.#actions += 1;
    await target.click(PATIENCE);
  }

  /** Clicks a row of a list that renders only the rows in view. */
  async clickRow(target: Locator): Promise<void> {
    await this.#bring(target);
    this.#actions += 1;
    await target.click(PATIENCE);
  }

  async #turn(): Promise<void> {
    this.#actions += 1;
    const { width = 0 } = this.page.viewportSize() ?? {};
    await this.page.mouse.wheel(0, width < PHONE_BELOW ? SWIPE : TURN);
  }

  /**
   * Moves the pointer over the visible area of an element or, if no part of the element is visible, over the
   * middle of the page. (Playwright's `hover` would scroll the page.)
   */
  async #pointAt(target: Locator): Promise<void> {
    await target.waitFor(PATIENCE);
    const { x = 0, y = 0, width = 0, height = 0 } = (await target.boundingBox()) ?? {};
    const page = this.page.viewportSize() ?? { width: 0, height: 0 };
    const top = Math.max(y, 0);
    const bottom = Math.min(y + height, page.height);
    if (bottom > top) await this.page.mouse.move(x + width / 2, (top + bottom) / 2);
    else await this.page.mouse.move(page.width / 2, page.height / 2);
  }

  async #bring(target: Locator): Promise<void> {
    const isInView = async (): Promise<boolean> => {
      const box = (await target.count()) > 0 ? await target.first().boundingBox() : null;
      const height = this.page.viewportSize()?.height ?? 0;
      return box !== null && box.y >= 0 && box.y + box.height <= height;
    };
    const { width = 0, height = 0 } = this.page.viewportSize() ?? {};
    for (let turns = 0; turns < MOST_TURNS && !(await isInView()); turns += 1) {
      if (turns === 0) await this.page.mouse.move(width / 2, height / 2);
      await this.#turn();
      await this.page.waitForTimeout(50);
    }
  }

  async press(key: string): Promise<void> {
    this.#actions += 1;
    await this.page.keyboard.press(key);
  }

  /** Types a text into the field that has the focus. */
  async type(text: string): Promise<void> {
    this.#actions += 1;
    await this.page.keyboard.type(text);
  }

  /** Types or pastes a URL. */
  async goTo(address: string): Promise<void> {
    this.#actions += 1;
    await this.page.goto(address, { waitUntil: 'commit' });
  }

  /** Opens a URL in a new tab, and continues in that tab. */
  async newTab(address: string): Promise<void> {
    this.#actions += 1;
    this.page = await this.page.context().newPage();
    await this.goTo(address);
  }

  /** Counts an action that a script cannot do, such as copying a URL. */
  did(): void {
    this.#actions += 1;
  }

  /** Waits until an element is on the page. */
  async has(target: Locator): Promise<void> {
    await target.first().waitFor(PATIENCE);
  }

  /** Waits until all texts are on the screen. */
  async sees(...texts: readonly string[]): Promise<void> {
    for (const text of texts) await this.page.waitForFunction(isOnScreen, text, { polling: 50, ...PATIENCE });
  }

  /** Turns the wheel over a part of the page until a text is on the screen. */
  async scrollTo(text: string, over: Locator): Promise<void> {
    await this.#pointAt(over);
    for (let turns = 0; turns < MOST_TURNS; turns += 1) {
      // The page may still be rendering the rows that came into view.
      for (let looks = 0; looks < 3; looks += 1) {
        if (await this.page.evaluate(isOnScreen, text)) return;
        await this.page.waitForTimeout(50);
      }
      await this.#turn();
    }
    throw new Error(`The text does not come into view: ${text}`);
  }
}

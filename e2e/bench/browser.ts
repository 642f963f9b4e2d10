import { gzipSync } from 'node:zlib';
import { type Browser, type CDPSession, chromium, type Page } from '@playwright/test';
import { chromiumArguments, findChromium } from '@temporal-kms/scripts/browser';

export const launch = async (): Promise<Browser> =>
  chromium.launch({ executablePath: await findChromium(), args: [...chromiumArguments] });

/** A page's work in an interval, in milliseconds. */
export interface Work {
  /** Tasks of more than 50 ms on the main thread. */
  readonly longTasks: readonly number[];
  readonly layout: number;
}

/** A page with an empty cache, whose work is measured. */
export interface Watched {
  readonly page: Page;
  /** Returns the number of requests so far whose URL matches the regular expression. */
  readonly requests: (url?: RegExp) => number;
  /** Returns the number and compressed size of the scripts loaded so far, including the scripts of workers. */
  readonly scripts: () => Promise<{ readonly files: number; readonly gzipKiB: number }>;
  /** Returns the page's work while `run` runs. */
  readonly during: (run: () => Promise<unknown>) => Promise<Work>;
  /** Returns the size in bytes of the heaps of the page and of its workers, after a garbage collection. */
  readonly heap: () => Promise<number>;
  readonly close: () => Promise<void>;
}

declare global {
  // oxlint-disable-next-line no-var -- a global of the measured page
  var longTaskTimes: number[];
}

export async function watchedPage(browser: Browser): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.longTaskTimes = [];
    new PerformanceObserver((list) => {
      globalThis.longTaskTimes.push(...list.getEntries().map(({ duration }) => duration));
    }).observe({ type: 'longtask', buffered: true });
  });
  const requested: string[] = [];
  const scripts: Promise<number>[] = [];
  page.on('request', (request) => void requested.push(request.url()));
  page.on('response', (response) => {
    if (response.request().resourceType() !== 'script' && !new URL(response.url()).pathname.endsWith('.js'))
      return;
    scripts.push(
      response.body().then(
        (body) => gzipSync(body).length,
        () => 0,
      ),
    );
  });
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const workers = await attachToWorkers(cdp);
  const layout = async (): Promise<number> => 1_000 * (await metric(cdp, 'LayoutDuration'));
  return {
    page,
    requests: (url = /./) => requested.filter((each) => url.test(each)).length,
    scripts: async () => {
      const sizes = await Promise.all(scripts);
      return { files: sizes.length, gzipKiB: sizes.reduce((sum, size) => sum + size, 0) / 1_024 };
    },
    during: async (run) => {
      const before = await layout();
      const known = await page.evaluate(() => globalThis.longTaskTimes?.length ?? 0);
      await run();
      // The browser reports a long task only some time after the task's end.
      await page.waitForTimeout(300);
      const tasks = await page.evaluate(() => globalThis.longTaskTimes);
      return { longTasks: tasks.slice(known), layout: (await layout()) - before };
    },
    heap: async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize } = await cdp.send('Runtime.getHeapUsage');
      return usedSize + (await workers());
    },
    close: () => context.close(),
  };
}

async function metric(cdp: CDPSession, name: string): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return metrics.find((each) => each.name === name)?.value ?? Number.NaN;
}

/**
 * Returns a function that returns the size in bytes of the heaps of the page's workers, after a garbage
 * collection.
 */
async function attachToWorkers(cdp: CDPSession): Promise<() => Promise<number>> {
  const sessions = new Set<string>();
  const answers = new Map<number, (usedSize: number) => void>();
  let calls = 0;
  cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') sessions.add(sessionId);
  });
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result }: { id?: number; result?: { usedSize?: number } } = JSON.parse(message);
    if (id !== undefined) answers.get(id)?.(result?.usedSize ?? 0);
  });
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const ask = (sessionId: string, method: string): Promise<number> => {
    calls += 1;
    const id = calls;
    const answer = new Promise<number>((resolve) => {
      answers.set(id, resolve);
    });
    return cdp
      .send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) })
      .then(() => answer);
  };
  return async () => {
    let sum = 0;
    for (const session of sessions) {
      await ask(session, 'HeapProfiler.collectGarbage');
      sum += await ask(session, 'Runtime.getHeapUsage');
    }
    return sum;
  };
}

/**
 * Waits until an element contains a text. Returns the milliseconds since `start`, a time of
 * `performance.now()`.
 */
export async function untilText(page: Page, text: string, start: number, element = 'body'): Promise<number> {
  await page.waitForFunction(
    ([selector, wanted]) => document.querySelector(selector)?.textContent.includes(wanted),
    [element, text] as const,
    { polling: 20, timeout: 120_000 },
  );
  return performance.now() - start;
}

declare global {
  // oxlint-disable-next-line no-var -- a global of the measured page
  var pathTimes: number[];
}

/**
 * Collects in `pathTimes` how many milliseconds the page's worker takes for each critical path, from the page's request
 * to the worker's response. Call this function before the page opens.
 */
export async function timePaths(page: Page): Promise<void> {
  await page.addInitScript(() => {
    globalThis.pathTimes = [];
    // oxlint-disable-next-line typescript/unbound-method -- the call below passes its port as `this`
    const { postMessage } = MessagePort.prototype;
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- Playwright sends only this function to the page
    const isQuestion = (value: unknown) =>
      typeof value === 'object' && value !== null && 'type' in value && value.type === 'times';
    MessagePort.prototype.postMessage = function send(this: MessagePort, message: unknown, ...rest: []) {
      if (isQuestion(message)) {
        const start = performance.now();
        const answered = ({ data }: MessageEvent) => {
          if (!isQuestion(data)) return;
          globalThis.pathTimes.push(performance.now() - start);
          this.removeEventListener('message', answered);
        };
        this.addEventListener('message', answered);
      }
      Reflect.apply(postMessage, this, [message, ...rest]);
    };
  });
}

/**
 * Scrolls the element with the longest scroll range to its end within `millis` milliseconds. Returns the height of the
 * element's content in pixels.
 */
export async function scrollToEnd(page: Page, millis: number): Promise<number> {
  return page.evaluate(async (duration) => {
    const longest = [...document.querySelectorAll('*')]
      .filter((element) => {
        const { overflowY } = getComputedStyle(element);
        return overflowY === 'auto' || overflowY === 'scroll' || element === document.scrollingElement;
      })
      .toSorted((a, b) => b.scrollHeight - b.clientHeight - (a.scrollHeight - a.clientHeight))[0];
    if (!longest || longest.scrollHeight - longest.clientHeight < 1_000)
      throw new Error('The page has nothing to scroll.');
    await new Promise<void>((done) => {
      let start: number | undefined;
      const frame = (now: number) => {
        start ??= now;
        const share = Math.min((now - start) / duration, 1);
        longest.scrollTop = share * (longest.scrollHeight - longest.clientHeight);
        if (share < 1) requestAnimationFrame(frame);
        else done();
      };
      requestAnimationFrame(frame);
    });
    return longest.scrollHeight;
  }, millis);
}

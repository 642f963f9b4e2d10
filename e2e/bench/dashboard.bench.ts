import { parseArgs } from 'node:util';
import { NAMESPACE } from '@temporal-kms/codec-server/bench/bundle';
import type { LongHistory } from '@temporal-kms/codec-server/bench/long-history';
import { webUiDownload } from '@temporal-kms/codec-server/bench/web-ui';
import { median, range } from '@temporal-kms/scripts/figures';
import { launch, scrollToEnd, untilText, type Watched, watchedPage, type Work } from './browser.ts';
import { makeActivities, MARK, signalMore } from './histories.ts';
import { reveals, rowsInView } from './reveals.ts';
import { startStack } from './stack.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    scrolled: { type: 'string', default: '4000' },
    revealed: { type: 'string', default: '2000' },
    longest: { type: 'string', default: '51200' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/dashboard.bench.ts [--events 10000] [--scrolled 4000] [--revealed 2000] [--longest 51200] [--rounds 3]\n' +
      "Measures the dashboard in Chromium, compared with Temporal's Web UI, which shows the same runs of the same server and\n" +
      'decodes through the same codec server. Each run consists of activities with encrypted inputs and results of 1 KiB.\n' +
      '--events    the run that is opened with an empty cache, and saved\n' +
      '--scrolled  the run that is scrolled from its first to its last row\n' +
      '--revealed  the run whose payloads are locked and revealed again, and whose rows come into view\n' +
      '--longest   the run for the figures about very long histories, whose activities are canceled\n' +
      'Each of these is a number of events; 0 leaves the part out. All parts take about ten minutes on an idle machine.',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
/** How long it takes to scroll a page from start to end, in milliseconds. */
const SCROLL_MS = 10_000;
/** Number of events that arrive while the longest history is open, and the milliseconds between them. */
const TAIL = 100;
const TAIL_EVERY_MS = 100;
/** Number of places in a history, and of reveals, to measure. */
const PLACES = 11;

const stack = await startStack();
const browser = await launch();
const dashboardPage = ({ workflowId, runId }: LongHistory): string =>
  `${stack.dashboardUrl}/ns/${NAMESPACE}/workflows/${workflowId}/${runId}`;
const temporalPage = ({ workflowId, runId }: LongHistory, tab: 'history' | 'timeline'): string =>
  `${stack.temporalUiUrl}/namespaces/${NAMESPACE}/workflows/${workflowId}/${runId}/${tab}`;

async function history(
  workflowId: string,
  events: number,
  end?: 'completed' | 'canceled',
): Promise<LongHistory> {
  const start = performance.now();
  const run = await makeActivities(stack.temporalAddress, stack.codec, workflowId, events, end);
  console.log(
    `${events} events with ${run.payloads} encrypted payloads, made in ${seconds(performance.now() - start)} s`,
  );
  return run;
}

/** Opens a page in a new browser context, and closes the context after `run`. */
async function watched<T>(run: (watch: Watched) => Promise<T>): Promise<T> {
  const watch = await watchedPage(browser);
  try {
    return await run(watch);
  } finally {
    await watch.close();
  }
}

interface Opening {
  readonly first: number;
  readonly requests: number;
  readonly files: number;
  readonly script: number;
  readonly longTasks: readonly number[];
}

/** Opens a page with an empty cache, and waits until the page shows plaintext and its loading has ended. */
function opening(url: string): Promise<Opening> {
  return watched(async ({ page, during, requests, scripts }) => {
    let first = 0;
    let asked = 0;
    const { longTasks } = await during(async () => {
      const start = performance.now();
      await page.goto(url, { waitUntil: 'commit' });
      first = await untilText(page, MARK, start);
      asked = requests();
      await page.waitForTimeout(5_000);
    });
    const { files, gzipKiB } = await scripts();
    return { first, requests: asked, files, script: gzipKiB, longTasks };
  });
}

async function printOpening(run: LongHistory): Promise<void> {
  const ours: Opening[] = [];
  const theirs: Opening[] = [];
  const saved: number[] = [];
  // The first pages of a browser process are slower than all later pages.
  await opening(dashboardPage(run));
  await opening(temporalPage(run, 'history'));
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await opening(dashboardPage(run)));
    theirs.push(await opening(temporalPage(run, 'history')));
    saved.push(await save(run));
  }
  const list = await opening(`${stack.dashboardUrl}/ns/${NAMESPACE}/workflows`).catch(() => undefined);
  const download = await webUiDownload(stack.temporalUiUrl, run);
  const times = (openings: readonly Opening[]) => openings.map(({ first }) => first);
  const some = (openings: readonly Opening[], of: (each: Opening) => number) => range(openings.map(of));
  print(`A history of ${values.events} events, opened with an empty cache`, [
    [
      'first decoded rows (ms)',
      range(times(ours)),
      range(times(theirs)),
      ratio(median(times(theirs)), median(times(ours))),
    ],
    ['requests until then', some(ours, (each) => each.requests), some(theirs, (each) => each.requests), ''],
    [
      'JavaScript after gzip (KiB), files',
      `${some(ours, (each) => each.script)}, ${ours[0]?.files}`,
      `${some(theirs, (each) => each.script)}, ${theirs[0]?.files}`,
      '',
    ],
    ['long tasks while loading', ...workCells(ours, theirs)],
    [
      'everything decoded and saved (s)',
      range(
        saved.map((each) => each / 1_000),
        2,
      ),
      download.toFixed(1),
      ratio(download * 1_000, median(saved)),
    ],
  ]);
  if (list) console.log(`JavaScript of the list after gzip: ${list.script.toFixed(0)} KiB`);
}

const workCells = (ours: readonly Opening[], theirs: readonly Opening[]): [string, string, string] => [
  tasks(ours.map(({ longTasks }) => longTasks)),
  tasks(theirs.map(({ longTasks }) => longTasks)),
  '',
];

/** Milliseconds from the click on Export to the file with all payloads decoded. */
function save(run: LongHistory): Promise<number> {
  return watched(async ({ page }) => {
    // With this function, Chromium would ask where to save the file.
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'showSaveFilePicker'));
    await page.goto(dashboardPage(run));
    await untilText(page, MARK, performance.now());
    await page.getByRole('button', { name: /^Export/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('input[value="decoded"]').check();
    const downloading = page.waitForEvent('download', { timeout: 300_000 });
    const start = performance.now();
    await dialog.getByRole('button', { name: /^Export/ }).click();
    await (await downloading).path();
    return performance.now() - start;
  });
}

async function printReveals(run: LongHistory): Promise<void> {
  const scrolled = await watched(({ page }) => rowsInView(page, dashboardPage(run), PLACES));
  const revealed = await watched(({ page }) => reveals(page, dashboardPage(run), PLACES));
  console.log(`\n### Payloads in view (ms)\n`);
  console.log(`Rows that come into view, until all are decoded: ${range(scrolled)}`);
  console.log(
    `Reveal of all payloads, until the first is shown: ${range(revealed.map(({ first }) => first))}`,
  );
  console.log(
    `Reveal of all payloads, until all in view are shown: ${range(revealed.map(({ all }) => all))}`,
  );
}

const layouts = (works: readonly Work[]): number[] => works.map(({ layout }) => layout);

async function printScrolling(run: LongHistory): Promise<void> {
  const heights = new Map<string, number>();
  const scroll = (url: string): Promise<Work> =>
    watched(async ({ page, during }) => {
      await page.goto(url);
      await page.waitForTimeout(6_000);
      return during(async () => heights.set(url, await scrollToEnd(page, SCROLL_MS)));
    });
  const ours: Work[] = [];
  const theirs: Work[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await scroll(dashboardPage(run)));
    theirs.push(await scroll(temporalPage(run, 'timeline')));
  }
  const height = (url: string) => String(heights.get(url));
  print(`${values.scrolled} events scrolled from the first row to the last in ${SCROLL_MS / 1_000} s`, [
    ['scrolled height (px)', height(dashboardPage(run)), height(temporalPage(run, 'timeline')), ''],
    [
      'long tasks',
      tasks(ours.map(({ longTasks }) => longTasks)),
      tasks(theirs.map(({ longTasks }) => longTasks)),
      '',
    ],
    [
      'layout (ms)',
      range(layouts(ours)),
      range(layouts(theirs)),
      ratio(median(layouts(theirs)), median(layouts(ours))),
    ],
  ]);
}

async function printLongest(run: LongHistory): Promise<void> {
  await watched(async ({ page, during, heap }) => {
    const loaded = (events: number) =>
      page
        .getByRole('tab', { name: new RegExp(`^History\\s*${events.toLocaleString('en-GB')}$`) })
        .waitFor({ timeout: 120_000 });
    const before = Number(values.longest) - TAIL;
    const works: [string, Work][] = [];
    const measure = async (what: string, act: () => Promise<unknown>) =>
      works.push([what, await during(act)]);
    const start = performance.now();
    await measure('loading', async () => {
      await page.goto(dashboardPage(run), { waitUntil: 'commit' });
      await loaded(before);
    });
    const loading = performance.now() - start;
    await measure('scrolling from the first row to the last', () => scrollToEnd(page, 2 * SCROLL_MS));
    await measure('filtering by each key of “step3 canceled”', async () => {
      await page.keyboard.press('/');
      await page.getByRole('search').getByRole('textbox').waitFor();
      await page.keyboard.type('step3 canceled', { delay: 150 });
      await page.waitForTimeout(500);
    });
    await page.keyboard.press('Escape');
    await measure(`tailing ${TAIL} events, one every ${TAIL_EVERY_MS} ms`, async () => {
      await signalMore(stack.temporalAddress, stack.codec, run, TAIL, TAIL_EVERY_MS);
      await loaded(before + TAIL);
    });
    console.log(
      `\n### ${values.longest} events\n\n| what | long tasks | longest (ms) |\n| --- | --- | --- |`,
    );
    for (const [what, { longTasks }] of works) {
      console.log(`| ${what} | ${longTasks.length} | ${Math.max(0, ...longTasks).toFixed(0)} |`);
    }
    console.log(
      `\nLoaded in ${seconds(loading)} s; heap of the page and its worker: ${((await heap()) / 1e6).toFixed(0)} MB`,
    );
  });
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`\n### ${title}\n`);
  console.log("| what | dashboard | Temporal's Web UI | Web UI : dashboard |\n| --- | --- | --- | --- |");
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  console.log('');
}

/** The number of long tasks in each round (`min / median / max`), and the longest of all. */
const tasks = (each: readonly (readonly number[])[]): string =>
  `${range(each.map(({ length }) => length))}, longest ${Math.max(0, ...each.flat()).toFixed(0)} ms`;

const ratio = (theirs: number, ours: number): string => (theirs / ours).toFixed(1);

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(1);
}

try {
  const parts = [values.events, values.scrolled, values.revealed, values.longest];
  const [events, scrolled, revealed, longest] = parts.map(Number);
  if (events) await printOpening(await history('cold', events));
  if (scrolled) await printScrolling(await history('scrolled', scrolled));
  if (revealed) await printReveals(await history('revealed', revealed));
  if (longest) await printLongest(await history('longest', longest - TAIL, 'canceled'));
} finally {
  await browser.close();
  await stack.close();
}

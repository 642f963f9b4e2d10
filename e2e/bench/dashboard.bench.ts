import { parseArgs } from 'node:util';
import { NAMESPACE } from '@temporal-kms/codec-server/bench/bundle';
import type { LongHistory } from '@temporal-kms/codec-server/bench/long-history';
import { webUiDownload } from '@temporal-kms/codec-server/bench/web-ui';
import { median, range } from '@temporal-kms/scripts/figures';
import {
  launch,
  scrollToEnd,
  timePaths,
  untilText,
  type Watched,
  watchedPage,
  type Work,
} from './browser.ts';
import {
  type End,
  FAILURE,
  makeActivities,
  makePayments,
  MARK,
  PAYMENT,
  signalMore,
  startRuns,
} from './histories.ts';
import { comparisons, groups, requestsAtRest } from './lists.ts';
import { reveals, rowsInView } from './reveals.ts';
import { startStack } from './stack.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    scrolled: { type: 'string', default: '4000' },
    revealed: { type: 'string', default: '2000' },
    longest: { type: 'string', default: '51200' },
    failed: { type: 'string', default: '2000' },
    listed: { type: 'string', default: '120' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/dashboard.bench.ts [--events 10000] [--scrolled 4000] [--revealed 2000] [--longest 51200] [--failed 2000] [--listed 120] [--rounds 3]\n' +
      "Measures the dashboard in Chromium, compared with Temporal's Web UI, which shows the same runs of the same server and\n" +
      'decodes through the same codec server. Each run consists of activities with encrypted inputs and results of 1 KiB.\n' +
      '--events    the failed run that is opened with an empty cache, and saved\n' +
      '--scrolled  the run that is scrolled from its first to its last row, like the sample stocktake-4001\n' +
      '--revealed  the run whose payloads are locked and revealed again, and whose rows come into view\n' +
      '--longest   the run for the figures about very long histories, whose activities are canceled\n' +
      '--failed    the failed runs that are grouped by cause, and of which 200 are compared with 200 that completed\n' +
      '--listed    the running workflows in a list at rest\n' +
      'Each number is a number of events (--failed and --listed: of runs); 0 leaves the part out. All parts take about fifteen\n' +
      'minutes on an idle machine. Exits with 1 if a figure exceeds its limit.',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
/** How long it takes to scroll a page from start to end, in milliseconds. */
const SCROLL_MS = 10_000;
/** Number of events that arrive while the longest history is open, and the milliseconds between them. */
const TAIL = 100;
const TAIL_EVERY_MS = 100;
/** Number of scroll positions in a history, and number of reveals, to measure. */
const PLACES = 11;
/** Number of critical paths to measure, each after one more event has arrived. */
const PATHS = 5;
/**
 * Limits in milliseconds for the time until the card "Why" is complete, counted from the start and from the first
 * decoded rows.
 */
const CARD_MS = 1_000;
const CARD_AFTER_ROWS_MS = 300;
const PATH_MS = 200;
const LIST_PER_MINUTE = 3;
/** Number of completed runs to compare with as many failed runs. */
const COMPARED = 200;
const FIRST_GROUP_MS = 3_000;
const GROUPS_MS = 60_000;
const DIFFERS_MS = 5_000;

const stack = await startStack();
const browser = await launch();
const dashboardPage = ({ workflowId, runId }: LongHistory): string =>
  `${stack.dashboardUrl}/ns/${NAMESPACE}/workflows/${workflowId}/${runId}`;
const listPage = `${stack.dashboardUrl}/ns/${NAMESPACE}/workflows`;
const temporalPage = ({ workflowId, runId }: LongHistory, tab: 'history' | 'timeline'): string =>
  `${stack.temporalUiUrl}/namespaces/${NAMESPACE}/workflows/${workflowId}/${runId}/${tab}`;

async function history(workflowId: string, events: number, end?: End): Promise<LongHistory> {
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
  /**
   * Milliseconds until the card "Why" shows the decrypted message, or NaN if the page has no such card.
   */
  readonly card: number;
  readonly requests: number;
  readonly files: number;
  readonly script: number;
  readonly longTasks: readonly number[];
}

/** Opens a page with an empty cache, and waits until the page shows a text and has finished loading. */
function opening(url: string, text = MARK, hasCard = false): Promise<Opening> {
  return watched(async ({ page, during, requests, scripts }) => {
    let first = 0;
    let card = Number.NaN;
    let asked = 0;
    const { longTasks } = await during(async () => {
      const start = performance.now();
      await page.goto(url, { waitUntil: 'commit' });
      const shown = hasCard ? untilText(page, FAILURE, start, '[aria-label="Why"]') : Number.NaN;
      first = await untilText(page, text, start);
      asked = requests();
      card = await shown;
      await page.waitForTimeout(5_000);
    });
    const { files, gzipKiB } = await scripts();
    return { first, card, requests: asked, files, script: gzipKiB, longTasks };
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
    ours.push(await opening(dashboardPage(run), MARK, true));
    theirs.push(await opening(temporalPage(run, 'history')));
    saved.push(await save(run));
  }
  const list = await opening(listPage, run.workflowId);
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
    ['card Why, decrypted (ms)', some(ours, ({ card }) => card), '', ''],
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
  console.log(`JavaScript of the list after gzip: ${list.script.toFixed(0)} KiB`);
  limit('milliseconds until the card', median(ours.map(({ card }) => card)), CARD_MS);
  limit(
    'milliseconds from the first rows to the card',
    median(ours.map(({ card, first }) => card - first)),
    CARD_AFTER_ROWS_MS,
  );
}

const workCells = (ours: readonly Opening[], theirs: readonly Opening[]): [string, string, string] => [
  tasks(ours.map(({ longTasks }) => longTasks)),
  tasks(theirs.map(({ longTasks }) => longTasks)),
  '',
];

/** Returns the milliseconds from the click on Export until the file with all payloads decoded is complete. */
function save(run: LongHistory): Promise<number> {
  return watched(async ({ page }) => {
    // If showSaveFilePicker existed, Chromium would ask where to save the file.
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

const counts = (works: readonly Work[]): number => median(works.map(({ longTasks }) => longTasks.length));
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
  limit('long tasks while scrolling, compared with the timeline', counts(ours), counts(theirs));
}

async function printFailures(failed: number): Promise<void> {
  await makePayments(stack.temporalAddress, stack.codec, failed, COMPARED);
  const type = `WorkflowType = "${PAYMENT}"`;
  const pageOf = (name: string, search: Readonly<Record<string, string>>) =>
    `${stack.dashboardUrl}/ns/${NAMESPACE}/${name}?${new URLSearchParams(search)}`;
  const { first, all, calls } = await watched(({ page }) => groups(page, pageOf('causes', { q: type })));
  const of = (status: string) => `${type} AND ExecutionStatus = "${status}"`;
  const sets = { a: of('Failed'), b: of('Completed') };
  const [cold, warm] = await watched(({ page }) => comparisons(page, pageOf('differs', sets)));
  console.log(`\n### ${failed} failed runs\n`);
  console.log(`By cause: the first group after ${seconds(first)} s, all after ${seconds(all)} s; ${calls}`);
  console.log(`What differs from ${COMPARED} completed runs: ${seconds(cold)} s, again ${seconds(warm)} s`);
  limit('milliseconds until the first group', first, FIRST_GROUP_MS);
  limit('milliseconds until all groups', all, GROUPS_MS);
  limit('milliseconds for what differs', warm, DIFFERS_MS);
}

async function printRest(runs: number): Promise<void> {
  await startRuns(stack.temporalAddress, stack.codec, runs);
  const perMinute = await watched((watch) => requestsAtRest(watch, listPage, `waiting-${runs}`));
  console.log(`\n### A list with ${runs} running workflows, at rest\n\n${perMinute} requests per minute`);
  limit('requests of the list per minute', perMinute, LIST_PER_MINUTE);
}

async function printLongest(run: LongHistory): Promise<void> {
  await watched(async ({ page, during, heap }) => {
    const loaded = (events: number) =>
      page
        .getByRole('tab', { name: new RegExp(`^History\\s*${events.toLocaleString('en-GB')}$`) })
        .waitFor({ timeout: 120_000 });
    const before = Number(values.longest) - TAIL - PATHS;
    await timePaths(page);
    const works: [string, Work][] = [];
    const measure = async (what: string, act: () => Promise<unknown>) =>
      works.push([what, await during(act)]);
    const start = performance.now();
    await measure('loading', async () => {
      await page.goto(dashboardPage(run), { waitUntil: 'commit' });
      await loaded(before);
    });
    const loading = performance.now() - start;
    await page.locator('[data-index]').first().waitFor();
    await measure('scrolling from the first row to the last', () => scrollToEnd(page, 2 * SCROLL_MS));
    await measure('filtering by each key of “step3 canceled”', async () => {
      await page.keyboard.press('/');
      await page.getByRole('search').getByRole('textbox').waitFor();
      await page.keyboard.type('step3 canceled', { delay: 150 });
      await page.waitForTimeout(500);
    });
    await page.keyboard.press('Escape');
    await page.keyboard.press('w');
    for (let n = 1; n <= PATHS; n += 1) {
      await signalMore(stack.temporalAddress, stack.codec, run, 1, 1_000);
      await loaded(before + n);
    }
    const paths = await page.evaluate(() => globalThis.pathTimes);
    await page.keyboard.press('w');
    await measure(`tailing ${TAIL} events, one every ${TAIL_EVERY_MS} ms`, async () => {
      await signalMore(stack.temporalAddress, stack.codec, run, TAIL, TAIL_EVERY_MS);
      await loaded(Number(values.longest));
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
    console.log(`Critical path, in the worker (ms): ${range(paths)}`);
    limit('milliseconds for a critical path', median(paths), PATH_MS);
  });
}

/** Reports a figure that exceeds its limit, and makes the benchmark fail. */
function limit(what: string, figure: number, most: number): void {
  if (figure <= most) return;
  console.log(`Limit exceeded: ${figure.toFixed(1)} ${what}; at most ${most}.`);
  process.exitCode = 1;
}

function print(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`\n### ${title}\n`);
  console.log("| what | dashboard | Temporal's Web UI | Web UI : dashboard |\n| --- | --- | --- | --- |");
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  console.log('');
}

/**
 * Returns the number of long tasks in each round (`min / median / max`), and the duration of the longest
 * task.
 */
const tasks = (each: readonly (readonly number[])[]): string =>
  `${range(each.map(({ length }) => length))}, longest ${Math.max(0, ...each.flat()).toFixed(0)} ms`;

const ratio = (theirs: number, ours: number): string => (theirs / ours).toFixed(1);

function seconds(millis: number): string {
  return (millis / 1_000).toFixed(1);
}

try {
  const [events, scrolled, revealed, longest] = [
    values.events,
    values.scrolled,
    values.revealed,
    values.longest,
  ].map(Number);
  if (events) await printOpening(await history('cold', events, 'failed'));
  if (scrolled) await printScrolling(await history('scrolled', scrolled));
  if (revealed) await printReveals(await history('revealed', revealed));
  if (longest) await printLongest(await history('longest', longest - TAIL - PATHS, 'canceled'));
  if (Number(values.failed)) await printFailures(Number(values.failed));
  if (Number(values.listed)) await printRest(Number(values.listed));
} finally {
  await browser.close();
  await stack.close();
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { devices } from '@playwright/test';
import { buildDashboard } from '@temporal-kms/scripts/dashboard';
import { ownPorts, startDev } from '@temporal-kms/scripts/dev';
import { median } from '@temporal-kms/scripts/figures';
import { freePorts } from '@temporal-kms/scripts/ports';
import { launch } from './browser.ts';
import { serveSite } from './stack.ts';
import { dashboardSteps } from './tasks/dashboard.ts';
import { type Effort, Reader } from './tasks/reader.ts';
import { answers, type Facts, type Steps, type Task, type TaskId, tasks } from './tasks/tasks.ts';
import { temporalSteps } from './tasks/temporal.ts';

const { values } = parseArgs({
  options: {
    task: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    `node bench/tasks.bench.ts [--task NAME] [--rounds 3]\n` +
      `Does the tasks of a person on call in the dashboard and in Temporal's Web UI, which decodes through the same codec\n` +
      `server, over the samples of pnpm dev. A task begins at the list of workflows, with an empty cache. It ends when the\n` +
      `answer is on the screen. Counts clicks, key presses, entered texts and wheel turns, and measures the seconds, without the\n` +
      `time that a person needs to think and to point.\nTasks: ${Object.keys(tasks).join(', ')}`,
  );
  process.exit(0);
}

interface Site {
  readonly url: string;
  /** Returns the path of a namespace's list of workflows. */
  readonly list: (namespace: string) => string;
  readonly steps: Readonly<Record<TaskId, Steps>>;
}

const directory = await mkdtemp(join(tmpdir(), 'tasks-bench-'));
const ports = await ownPorts();
const [sitePort = 0] = await freePorts(1);
const local = (port: string | undefined): string => `http://127.0.0.1:${port}`;
const codecUrl = local(ports['DEV_CODEC_PORT']);

/** An event in the export of a history. */
interface Completed {
  readonly eventId: string;
  readonly activityTaskCompletedEventAttributes?: unknown;
}

/** The smallest id that the event in the middle of the long sample may have. */
const MIDDLE = 2_000;

const apiOf = (namespace: string): string => `${codecUrl}/api/namespaces/${namespace}/workflows`;

/** Waits until the samples are complete, and returns the facts about them that the tasks need. */
async function findFacts(): Promise<Facts> {
  const api = apiOf('default');
  const latest = async (id: string, namespace = 'default'): Promise<string> => {
    for (;;) {
      const response = await fetch(`${apiOf(namespace)}/${id}`);
      const { workflow }: { workflow?: { runId: string; status: string } } = await response.json();
      if (workflow && workflow.status !== 'Running') return workflow.runId;
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
    }
  };
  const [order, long, checkout] = [
    await latest('order-1001'),
    await latest('stocktake-4001'),
    await latest('checkout-2001'),
  ];
  await latest('order-1005-destroyed-key');
  await latest('web-order-9360', 'shop');
  const readable = async (id: string, runId: string): Promise<string> => {
    const response = await fetch(`${api}/${id}/runs/${runId}/history:export`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ form: 'readable' }),
    });
    return response.text();
  };
  const failure = await readable('checkout-2001', checkout);
  const line = /activities\.ts:\d+:\d+/.exec(failure.slice(failure.lastIndexOf(answers.rootCause)))?.[0];
  const { events }: { events: readonly Completed[] } = JSON.parse(await readable('stocktake-4001', long));
  const middle = events.find(
    ({ eventId, activityTaskCompletedEventAttributes: attributes }) =>
      attributes && Number(eventId) >= MIDDLE,
  );
  const shelf = /Northgate\/\d+/.exec(JSON.stringify(middle))?.[0];
  if (!middle || shelf === undefined || line === undefined) throw new Error('The sample data is incomplete.');
  return { event: { id: Number(middle.eventId), text: shelf }, line, runs: { order, long } };
}

async function measure(id: TaskId, site: Site, facts: Facts): Promise<Effort | undefined> {
  const task: Task = tasks[id];
  const steps = site.steps[id];
  if (!steps) return undefined;
  const context = await browser.newContext({
    baseURL: site.url,
    ...(task.phone ? devices['iPhone 14'] : { viewport: { width: 1440, height: 900 } }),
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  try {
    // If showSaveFilePicker does not exist, Chromium saves the file without asking where.
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'showSaveFilePicker'));
    await page.goto(site.list(task.namespace ?? 'default'));
    await page.locator('[data-index], tbody tr').nth(3).waitFor();
    await page.waitForTimeout(1_000);
    const reader = new Reader(page);
    reader.begin();
    await steps(reader, facts);
    return reader.effort();
  } finally {
    await context.close();
  }
}

/** Returns a table cell with the number of actions and the median of the seconds. */
async function cell(id: TaskId, site: Site, facts: Facts): Promise<string> {
  const efforts: Effort[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const effort = await measure(id, site, facts);
    if (!effort) return 'not possible | ';
    efforts.push(effort);
  }
  const least = Math.min(...efforts.map(({ actions }) => actions));
  return `${least} | ${median(efforts.map(({ seconds }) => seconds)).toFixed(1)}`;
}

const isTask = (id: string): id is TaskId => id in tasks;

const dev = await startDev({ ...ports, DEV_DATA_DIR: directory });
const site = await serveSite(join(await buildDashboard(), 'dist'), sitePort, '', {
  target: codecUrl,
  origin: local(ports['DEV_UI_PORT']),
});
const browser = await launch();
try {
  const facts = await findFacts();
  const dashboard: Site = {
    url: local(String(sitePort)),
    list: (namespace) => `/ns/${namespace}/workflows`,
    steps: dashboardSteps,
  };
  const temporal: Site = {
    url: local(ports['DEV_TEMPORAL_UI_PORT']),
    list: (namespace) => `/namespaces/${namespace}/workflows`,
    steps: temporalSteps,
  };
  // The first pages of a browser process are slower than all later pages.
  for (const each of [dashboard, temporal]) await measure('pending', each, facts);
  console.log(
    "\n| task | dashboard: actions | seconds | Temporal's Web UI: actions | seconds |\n| --- | --- | --- | --- | --- |",
  );
  for (const id of Object.keys(tasks).filter(isTask)) {
    if (values.task !== undefined && values.task !== id) continue;
    console.log(
      `| ${tasks[id].name} | ${await cell(id, dashboard, facts)} | ${await cell(id, temporal, facts)} |`,
    );
  }
} finally {
  await browser.close();
  site.close();
  site.closeAllConnections();
  await dev.stop();
  await rm(directory, { recursive: true, maxRetries: 10 });
}

import type { Reader } from './reader.ts';
import { answers, type Steps, type TaskId } from './tasks.ts';

/** Opens a run from the list. On a phone, the row itself is the link. */
const open = (reader: Reader, name: string) => reader.clickRow(reader.page.getByText(name, { exact: true }));
const failure = ({ page }: Reader) => page.getByRole('region', { name: 'Failure' });
const inspector = ({ page }: Reader) => page.getByRole('complementary', { name: 'Inspector' });

async function rootCause(reader: Reader): Promise<void> {
  await open(reader, 'checkout-2001');
  await reader.click(reader.page.getByRole('button', { name: /^failure/ }));
  await reader.scrollTo(answers.rootCause, failure(reader));
}

/** The shortest way to do each task in the dashboard. */
export const dashboardSteps: Readonly<Record<TaskId, Steps>> = {
  rootCause,
  stackTrace: async (reader, { line }) => {
    await rootCause(reader);
    // The page initially shows the root cause's stack trace.
    await reader.scrollTo(line, failure(reader));
  },
  failedChild: async (reader) => {
    await open(reader, 'checkout-2001');
    await reader.click(reader.page.locator('[data-key="g5"]').getByRole('link'));
    await reader.has(reader.page.getByRole('heading', { level: 1, name: 'checkout-2001-payment' }));
    await reader.sees(answers.child);
  },
  pending: async (reader) => {
    await open(reader, 'settlement-5001');
    await reader.sees(answers.pending);
  },
  stuck: async (reader) => {
    await open(reader, 'loyalty-report-8001');
    await reader.sees(answers.stuck);
  },
  mentions: async (reader) => {
    await reader.press('Control+Shift+F');
    await reader.has(reader.page.locator('input:focus'));
    await reader.type('Okafor');
    await reader.press('Enter');
    const found = reader.page.getByRole('list', { name: 'Runs with matches' });
    await reader.has(found.getByRole('link', { name: /settlement-5001/ }));
  },
  compare: async (reader) => {
    await open(reader, 'order-1001');
    await reader.click(reader.page.getByRole('button', { name: 'Compare' }));
    const runs = reader.page.getByRole('dialog', { name: 'Compare with another run' });
    await reader.click(runs.getByRole('link', { name: /order-1002/ }));
    await reader.click(reader.page.getByRole('button', { name: 'Input differs' }));
    await reader.sees(...answers.differences.flat());
  },
  export: async (reader) => {
    await open(reader, 'order-1001');
    await reader.click(reader.page.getByRole('button', { name: 'Export', exact: true }));
    const dialog = reader.page.getByRole('dialog', { name: 'Export history' });
    await reader.click(dialog.getByText('Decoded', { exact: true }));
    const download = reader.page.waitForEvent('download');
    await reader.click(dialog.getByRole('button', { name: 'Export' }));
    await (await download).path();
  },
  middle: async (reader, { event }) => {
    await open(reader, 'stocktake-4001');
    await reader.has(reader.page.locator('[data-key="g1"]'));
    await reader.press('Control+k');
    await reader.has(reader.page.locator('input:focus'));
    await reader.type(`#${event.id}`);
    await reader.has(reader.page.getByRole('option', { name: `Event ${event.id} of this run` }));
    await reader.press('Enter');
    await reader.has(inspector(reader));
    await reader.sees(event.text);
  },
  unreadable: async (reader) => {
    await open(reader, 'order-1005-destroyed-key');
    await reader.click(reader.page.getByRole('button', { name: /^input/ }));
    await reader.sees('key_destroyed');
  },
  failed: async (reader) => {
    await open(reader, 'order-1001');
    await reader.has(reader.page.locator('[data-key="g1"]'));
    // The first failure belongs to an update.
    await reader.press('e');
    await reader.press('e');
    await reader.has(inspector(reader).getByText('packByRobot'));
    await reader.sees(answers.failed);
  },
  link: async (reader, { runs }) => {
    await open(reader, 'order-1001');
    await reader.click(reader.page.locator('[data-key="g1"]'));
    await reader.click(inspector(reader).getByRole('button', { name: /link/i }));
    await reader.goTo(`/ns/default/workflows/order-1001/${runs.order}?ev=1`);
    await reader.has(inspector(reader));
    await reader.sees('Harbour Street 4');
  },
  keyboard: async (reader) => {
    await reader.press('Control+k');
    await reader.has(reader.page.locator('input:focus'));
    await reader.type('order-1001');
    await reader.has(reader.page.getByRole('option', { name: /^order-1001 ?order/ }));
    await reader.press('Enter');
    await reader.sees(answers.input);
  },
  waits: async (reader) => {
    await open(reader, 'approval-6004-waiting');
    await reader.click(reader.page.getByRole('link', { name: 'Ask the worker' }));
    await reader.sees(answers.waits);
  },
  noWorker: async (reader) => {
    await open(reader, 'daily-report-9201-no-worker');
    await reader.sees('no worker is polling the task queue');
  },
  build: async (reader) => {
    await open(reader, 'courier-3001');
    await reader.click(reader.page.getByRole('tab', { name: /^Now/ }));
    await reader.sees('@temporalio/worker');
  },
  slow: async (reader) => {
    await open(reader, 'web-order-9333');
    await reader.sees('Slower than usual', 'activity bringParcel');
  },
  sameCause: async (reader) => {
    await open(reader, 'web-order-9358');
    await reader.click(reader.page.getByRole('button', { name: 'Same cause' }));
    await reader.sees('The same cause in 19 other runs');
  },
  differs: async (reader) => {
    await open(reader, 'web-order-9358');
    await reader.click(reader.page.getByRole('link', { name: 'What differs' }));
    await reader.sees('Build of the first task’s worker', answers.build);
  },
  phone: rootCause,
};

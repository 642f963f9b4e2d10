import type { Reader } from './reader.ts';
import { answers, type Steps, type TaskId } from './tasks.ts';

const link = ({ page }: Reader, name: string) => page.getByRole('link', { name, exact: true });
/** Returns the code block with a run's result, failure or cause. */
const result = ({ page }: Reader) => page.locator('.cm-editor:visible').last();
const run = (workflowId: string, runId: string): string =>
  `/namespaces/default/workflows/${workflowId}/${runId}/history/events`;

async function rootCause(reader: Reader): Promise<void> {
  await reader.click(link(reader, 'checkout-2001'));
  await reader.has(reader.page.getByText('Checkout of Tomás Ferreira failed'));
  await reader.scrollTo(answers.rootCause, result(reader));
}

/** The shortest way to do each task in Temporal's Web UI. */
export const temporalSteps: Readonly<Record<TaskId, Steps>> = {
  rootCause,
  stackTrace: async (reader, { line }) => {
    await rootCause(reader);
    await reader.scrollTo(line, result(reader));
  },
  failedChild: async (reader) => {
    await reader.click(link(reader, 'checkout-2001'));
    await reader.click(reader.page.getByRole('tab', { name: /^Relationships/ }));
    await reader.click(reader.page.getByRole('link', { name: /checkout-2001-payment/ }).last());
    await reader.has(reader.page.getByText(answers.child));
    await reader.scrollTo(answers.child, result(reader));
  },
  pending: async (reader) => {
    await reader.click(link(reader, 'settlement-5001'));
    await reader.click(reader.page.getByRole('tab', { name: /^Pending Activities/ }));
    await reader.has(reader.page.getByText(answers.pending));
    await reader.scrollTo(answers.pending, reader.page.getByText('Last Failure'));
  },
  stuck: async (reader) => {
    await reader.click(link(reader, 'loyalty-report-8001'));
    await reader.click(reader.page.getByRole('tab', { name: /^Event History/ }));
    await reader.click(reader.page.getByRole('link', { name: '4', exact: true }).first());
    await reader.has(reader.page.getByText(answers.stuck));
    await reader.scrollTo(answers.stuck, result(reader));
  },
  mentions: undefined,
  // The reader opens a tab for each run, and compares the tabs by eye.
  compare: async (reader) => {
    const [first, second] = answers.differences;
    await reader.click(link(reader, 'order-1001'));
    await reader.sees(...first);
    await reader.newTab('/namespaces/default/workflows');
    await reader.click(link(reader, 'order-1002'));
    await reader.sees(...second);
    // The reader returns to the first tab, and compares its values with those of the second tab.
    reader.did();
  },
  export: async (reader) => {
    await reader.click(link(reader, 'order-1001'));
    await reader.click(reader.page.getByRole('button', { name: /^Download/ }));
    await reader.click(
      reader.page.locator('label', { has: reader.page.getByTestId('use-decoded-setting-input') }),
    );
    const download = reader.page.waitForEvent('download');
    await reader.click(reader.page.getByRole('dialog').getByRole('button', { name: 'Download' }));
    await (await download).path();
  },
  middle: async (reader, { event, runs }) => {
    await reader.click(link(reader, 'stocktake-4001'));
    await reader.has(reader.page.getByRole('tab', { name: /^Event History/ }));
    // The page has no control that jumps to an event, but a URL can.
    await reader.goTo(`${run('stocktake-4001', runs.long)}/${event.id}`);
    await reader.has(reader.page.getByText(event.text));
    await reader.scrollTo(event.text, reader.page.getByText('Show Next 10'));
  },
  unreadable: undefined,
  failed: async (reader) => {
    await reader.click(link(reader, 'order-1001'));
    await reader.click(reader.page.getByRole('button', { name: /Event packByRobot/ }));
    await reader.has(reader.page.getByText(answers.failed));
    await reader.scrollTo(answers.failed, result(reader));
  },
  link: async (reader, { runs }) => {
    await reader.click(link(reader, 'order-1001'));
    await reader.click(reader.page.getByRole('tab', { name: /^Event History/ }));
    await reader.click(reader.page.getByRole('link', { name: '1', exact: true }).first());
    await reader.has(reader.page.getByText('Show Next 10'));
    // A person copies the page's URL here, which counts as an action.
    reader.did();
    await reader.goTo(`${run('order-1001', runs.order)}/1`);
    await reader.sees('Harbour Street 4');
  },
  keyboard: async (reader) => {
    const wanted = link(reader, 'order-1001');
    for (let stops = 0; stops < 400; stops += 1) {
      await reader.press('Tab');
      if (await wanted.evaluate((element) => element === document.activeElement)) break;
    }
    await reader.press('Enter');
    await reader.sees(answers.input);
  },
  waits: async (reader) => {
    await reader.click(link(reader, 'approval-6004-waiting'));
    await reader.click(reader.page.getByRole('tab', { name: 'User Metadata' }));
    await reader.has(reader.page.frameLocator('iframe >> nth=-1').getByText(answers.waits));
  },
  noWorker: async (reader) => {
    await reader.click(link(reader, 'daily-report-9201-no-worker'));
    await reader.sees('No workers polling');
  },
  build: async (reader) => {
    await reader.click(link(reader, 'courier-3001'));
    await reader.click(reader.page.getByRole('tab', { name: /^Workers/ }));
    // The page shortens the build id.
    await reader.has(reader.page.getByText(/^@tempor/));
  },
  // The reader opens another order in a tab, and compares the timelines by eye.
  slow: async (reader) => {
    await reader.click(link(reader, 'web-order-9333'));
    await reader.has(reader.page.getByText('bringParcel'));
    await reader.newTab('/namespaces/shop/workflows');
    await reader.click(link(reader, 'web-order-9352'));
    await reader.has(reader.page.getByText('bringParcel'));
    // The reader returns to the first tab, and compares its timeline with that of the second tab.
    reader.did();
  },
  sameCause: undefined,
  differs: undefined,
  phone: rootCause,
};

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, type Page, test } from '@playwright/test';
import { findTemporalCli } from '@temporal-kms/scripts/temporal';
import { violations } from './screens.ts';
import { latestRun, local, untilStatus } from './stack.ts';

const run = promisify(execFile);

test.use({ viewport: { width: 1440, height: 900 } });

const PLAINTEXT = 'Please wrap it as a present';

/** Drops a file on the page, as a person would. */
async function drop(page: Page, name: string, content: string) {
  await page.evaluate(
    ([fileName = '', text = '']) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], fileName));
      for (const type of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    [name, content],
  );
}

test('an encoded export contains no plaintext, but the page shows the plaintext when the file is dropped on the page', async ({
  page,
}) => {
  // Tests cannot use the browser's file dialog, which is outside the page.
  await page.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
  await page.goto('/');
  await page.getByText('order-1001', { exact: true }).click();
  await page.keyboard.press('Enter');
  await expect(page.getByText(PLAINTEXT).first()).toBeVisible();

  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Export history' });
  await dialog.getByText('Encoded', { exact: true }).click();
  expect(await violations(page)).toEqual([]);
  const downloading = page.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Export' }).click();
  const download = await downloading;
  await expect(dialog.getByText(/^Saved \d+ events/)).toBeVisible();
  await dialog.getByRole('button', { name: 'Done' }).click();
  const text = await readFile(await download.path(), 'utf8');
  expect(text).not.toContain(PLAINTEXT);
  const events: number = JSON.parse(text).events.length;

  await page.goto('/');
  await expect(page.getByText('order-1001', { exact: true })).toBeVisible();
  await drop(page, download.suggestedFilename(), text);
  await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeVisible();
  await expect(page.getByText(PLAINTEXT).first()).toBeVisible();
  await expect(page.getByText(download.suggestedFilename())).toBeVisible();
  await expect(page.getByRole('tab', { name: /^History/ })).toHaveText(new RegExp(`${events}$`));
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }
  const kept = await page.evaluate(() => JSON.stringify([location.href, Object.entries(localStorage)]));
  expect(kept).not.toContain('present');
  expect(kept).not.toContain(download.suggestedFilename());
});

test("history files from Temporal's CLI and Web UI show the same plaintext", async ({ page }) => {
  await untilStatus('order-1001', 'Completed');
  const { runId } = await latestRun('order-1001');
  const files = new Map<string, string>();
  const cli = ['workflow', 'show', '--workflow-id', 'order-1001', '--output', 'json'];
  const shown = await run(await findTemporalCli(), [...cli, '--address', local('TEMPORAL')], {
    maxBuffer: 64 * 1024 * 1024,
  });
  files.set('cli.json', shown.stdout);
  const webUi = `http://${local('TEMPORAL_UI')}`;
  for (const form of ['encoded', 'decoded', 'readable']) {
    await page.goto(`${webUi}/namespaces/default/workflows/order-1001/${runId}/history`);
    await page.getByRole('button', { name: /^Download/ }).click();
    await page.getByTestId(`use-${form}-setting-input`).check({ force: true });
    const downloading = page.waitForEvent('download');
    await page.getByRole('dialog').getByRole('button', { name: 'Download' }).click();
    files.set(`${form}.json`, await readFile(await (await downloading).path(), 'utf8'));
  }
  expect(files.get('encoded.json')).not.toContain('Mira');
  expect(files.get('readable.json')).toContain('Mira');

  await page.goto('/');
  await expect(page.getByText('order-1001', { exact: true })).toBeVisible();
  for (const [name, content] of files) {
    await drop(page, name, content);
    await expect(page.getByText(name, { exact: true })).toBeVisible();
    await expect(page.getByText(PLAINTEXT).first()).toBeVisible();
    await page.getByRole('button', { name: /^input/ }).click();
    await expect(page.getByRole('region', { name: 'Input' })).toContainText('Mira Lindqvist');
  }
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { findTemporalCli } from '@temporal-kms/scripts/temporal';
import { latestRun, local } from './stack.ts';

const run = promisify(execFile);
const codec = `http://${local('CODEC')}`;

/** Returns a history as the CLI prints it, with the data of every payload decoded from base64. */
async function show(...more: string[]): Promise<string> {
  const args = [
    'workflow',
    'show',
    '--workflow-id',
    'order-1001',
    '--address',
    local('TEMPORAL'),
    '--output',
    'json',
  ];
  const { stdout } = await run(await findTemporalCli(), [...args, ...more], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.replaceAll(/"data": "([^"]*)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
}

test("Temporal's CLI shows plaintext through the codec server, and ciphertext without it", async () => {
  expect(await show('--codec-endpoint', codec)).toContain('Please wrap it as a present');
  const raw = await show();
  expect(raw).toContain('order-1001');
  expect(raw).not.toContain('Please wrap it as a present');
  expect(raw).toContain(Buffer.from('binary/envelope-kms-v2').toString('base64'));
});

test("Temporal's own Web UI shows plaintext", async ({ page }) => {
  await expect
    .poll(async () => (await latestRun('order-1001')).status, { timeout: 30_000 })
    .toBe('Completed');
  const { runId } = await latestRun('order-1001');
  await page.goto(`http://${local('TEMPORAL_UI')}/namespaces/default/workflows/order-1001/${runId}/history`);
  await expect(page.getByText(/Delivered to Mira/).first()).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText(/Harbour Street 4/).first()).toBeVisible();
});

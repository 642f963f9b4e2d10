import { expect, test } from '@playwright/test';
import { interruptKms, latestRun, local, startSample } from './stack.ts';

const workerUp = async () => (await fetch(`http://${local('WORKER')}/healthz`)).ok;

test('a payload whose key is not cached shows kms_unavailable during an outage of Cloud KMS, and its text after the outage', async ({
  page,
}) => {
  test.setTimeout(180_000);
  const secret = 'Encrypted before the outage';
  await startSample('courier', 'e2e-outage', { courier: secret, intervalMs: 1_000, lastStop: 0 });
  // The workflow continues, because the worker has cached the input's branch key. This branch key
  // belongs to the process that started the workflow, and the codec server has not cached the key.
  await expect.poll(async () => (await latestRun('e2e-outage')).status).toBe('Running');
  const { runId } = await latestRun('e2e-outage');
  const outage = Date.now();
  await interruptKms(30);

  await page.goto(`/ns/default/workflows/e2e-outage/${runId}`);
  // Payloads that the worker wrote also contain the secret, and may be readable during the outage.
  const input = page.getByText(`"${secret}"`).first();
  await expect(page.getByText('KMS unreachable').first()).toBeVisible({ timeout: 60_000 });
  expect(Date.now() - outage).toBeLessThan(60_000);
  await expect(input).not.toBeVisible();

  const restored = outage + 30_000;
  await expect(input).toBeVisible({ timeout: restored + 60_000 - Date.now() });

  expect(await workerUp()).toBe(true);
  expect((await latestRun('e2e-outage')).status).toBe('Running');
  expect((await latestRun('courier-3001')).status).toBe('Running');
});

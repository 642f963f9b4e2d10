import { expect, test } from '@playwright/test';
import { interruptKms, latestRun, local, restoreKms, startSample, untilStatus } from './stack.ts';

const workerUp = async () => (await fetch(`http://${local('WORKER')}/healthz`)).ok;

test('a payload whose key is not cached shows kms_unavailable during an outage of Cloud KMS, and its text after the outage', async ({
  page,
}) => {
  const secret = 'Encrypted before the outage';
  await startSample('courier', 'e2e-outage', { courier: secret, intervalMs: 1_000, lastStop: 0 });
  // The workflow continues, because the worker has cached the input's branch key. This branch key
  // belongs to the process that started the workflow, and the codec server has not cached the key.
  await untilStatus('e2e-outage', 'Running');
  const { runId } = await latestRun('e2e-outage');
  // Payloads that the worker wrote also contain the secret, and may be readable during the outage.
  const input = page.getByText(`"${secret}"`).first();
  await interruptKms();
  try {
    await page.goto(`/ns/default/workflows/e2e-outage/${runId}`);
    await expect(page.getByText('KMS unreachable').first()).toBeVisible({ timeout: 60_000 });
    await expect(input).not.toBeVisible();
  } finally {
    await restoreKms();
  }
  await expect(input).toBeVisible({ timeout: 60_000 });

  expect(await workerUp()).toBe(true);
  expect((await latestRun('e2e-outage')).status).toBe('Running');
  expect((await latestRun('courier-3001')).status).toBe('Running');
});

import { expect, test } from '@playwright/test';
import { cutOffKms, latestRun, local, startSample } from './stack.ts';

const workerUp = async () => (await fetch(`http://${local('WORKER')}/healthz`)).ok;

test('with Cloud KMS cut off for 30 s, a payload that was not opened before says kms_unavailable, then opens by itself', async ({
  page,
}) => {
  test.setTimeout(180_000);
  const secret = 'Sealed before the outage';
  await startSample('courier', 'e2e-outage', { courier: secret, intervalMs: 1_000, lastStop: 0 });
  // The worker has opened it: it goes on. The codec server hasn't.
  await expect.poll(async () => (await latestRun('e2e-outage')).status).toBe('Running');
  const { runId } = await latestRun('e2e-outage');
  const cutOff = Date.now();
  await cutOffKms(30);

  await page.goto(`/ns/default/workflows/e2e-outage/${runId}`);
  await expect(page.getByText('KMS unreachable').first()).toBeVisible({ timeout: 60_000 });
  expect(Date.now() - cutOff).toBeLessThan(60_000);
  await expect(page.getByText(secret).first()).not.toBeVisible();

  const back = cutOff + 30_000;
  await expect(page.getByText(secret).first()).toBeVisible({ timeout: back + 60_000 - Date.now() });

  expect(await workerUp()).toBe(true);
  expect((await latestRun('e2e-outage')).status).toBe('Running');
  expect((await latestRun('courier-3001')).status).toBe('Running');
});

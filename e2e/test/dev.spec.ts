import { expect, test } from '@playwright/test';

test('`pnpm dev` starts the dashboard, the codec server and Temporal with its Web UI', async ({
  page,
  request,
}) => {
  await page.goto('/');
  await expect(page.getByText('order-1001', { exact: true })).toBeVisible();
  for (const path of [
    `${process.env['DEV_CODEC_PORT']}/readyz`,
    `${process.env['DEV_WORKER_PORT']}/readyz`,
    `${process.env['DEV_TEMPORAL_UI_PORT']}/`,
  ]) {
    await expect(await request.get(`http://127.0.0.1:${path}`)).toBeOK();
  }
});

test("Temporal's Web UI uses our codec server", async ({ request }) => {
  const settings = await request.get(
    `http://127.0.0.1:${process.env['DEV_TEMPORAL_UI_PORT']}/api/v1/settings`,
  );
  expect(await settings.json()).toMatchObject({
    Codec: { Endpoint: `http://127.0.0.1:${process.env['DEV_CODEC_PORT']}` },
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@playwright/test';
import { ownPorts, startDev } from '@temporal-kms/scripts/dev';
import { isPortTaken } from '@temporal-kms/scripts/ports';
import { test } from './remote-machine.ts';

// remote.spec.ts tests that `pnpm dev` finds the same machine's Temporal server and Google project with DEV_REMOTE=1.
test("`pnpm dev` uses only its own servers, Ctrl-C stops everything, and a second start finds the first start's data and keys", async ({
  page,
  machine,
}) => {
  test.setTimeout(480_000);
  const ports = await ownPorts();
  const environment = { ...machine.environment, ...ports, DEV_DASHBOARD_DIR: '' };
  const api = `http://127.0.0.1:${ports['DEV_CODEC_PORT']}/api/namespaces/default/workflows`;

  const first = await startDev(environment);
  const before = await readSample(api);
  // Vite serves this page from hundreds of source files, which takes a long time at first on a busy machine.
  // Other tests open the built dashboard. The list shows running and recently closed runs first, so without a
  // filter, the order may be out of view.
  await page.goto(`http://127.0.0.1:${ports['DEV_UI_PORT']}/ns/default/workflows?q=order-1001`);
  await expect(page.getByRole('link', { name: 'order-1001', exact: true })).toBeVisible({ timeout: 120_000 });
  await page.close();
  // The samples keep running after `startDev` returns.
  await sleep(5_000);
  await first.stop();
  for (const [variable, port] of Object.entries(ports)) {
    expect(await isPortTaken(Number(port)), `a process still listens on ${variable}`).toBe(false);
  }

  expect(machine.connections()).toEqual({ exported: 0, profile: 0, ownProfile: 0, kms: 0 });
  const entries = await readdir(machine.data, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['temporal.db', 'kms-emulator.json']));
  for (const { parentPath, name } of files) {
    expect(await readFile(join(parentPath, name), 'latin1')).not.toContain('elsewhere');
  }

  const second = await startDev(environment);
  try {
    expect(JSON.parse(before.input)).toHaveProperty('customer');
    expect(await readSample(api)).toEqual(before);
  } finally {
    await second.stop();
  }
});

/** Returns a sample's run id and its decrypted input. */
async function readSample(api: string): Promise<{ runId: string; input: string }> {
  const description = await fetch(`${api}/order-1001`);
  const { workflow }: { workflow: { runId: string } } = JSON.parse(await description.text());
  const decoded = await fetch(`${api}/order-1001/runs/${workflow.runId}/payloads:decode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refs: ['1:0'] }),
  });
  const [first = ''] = (await decoded.text()).split('\n');
  const result: { ok: boolean; payload: { data: string } } = JSON.parse(first);
  expect(result).toMatchObject({ ok: true });
  return { runId: workflow.runId, input: Buffer.from(result.payload.data, 'base64').toString() };
}

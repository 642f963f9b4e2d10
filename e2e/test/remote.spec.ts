import { expect } from '@playwright/test';
import { ownPorts, spawnDev } from '@temporal-kms/scripts/dev';
import { test } from './remote-machine.ts';

test('`pnpm dev` connects to the machine’s Temporal server and Google project with DEV_REMOTE=1', async ({
  machine,
}) => {
  test.setTimeout(300_000);
  const ports = await ownPorts();
  const dev = await spawnDev({ ...machine.environment, ...ports, DEV_REMOTE: '1' });
  try {
    // The codec server and the worker call Cloud KMS when they start; the codec server calls Temporal for a
    // request.
    const workflows = `http://127.0.0.1:${ports['DEV_CODEC_PORT']}/api/namespaces/default/workflows`;
    const connected = async () => {
      await fetch(workflows).catch(() => undefined);
      const { exported = 0, kms = 0 } = machine.connections();
      return exported > 0 && kms > 0;
    };
    await expect.poll(connected, { timeout: 240_000 }).toBe(true);
  } finally {
    await dev.stop('SIGINT');
  }
});

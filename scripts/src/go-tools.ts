/**
 * Builds what tests need of Go and no registry contains, one program after the other. `pnpm test` runs this file at the lowest
 * priority: it uses the time in which tests wait, and a test that needs a program finds it, or waits for its lock.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCaddy } from './caddy.ts';
import { startChild } from './child.ts';
import { findGo } from './go.ts';
import { findHelm } from './helm.ts';
import { projectRoot } from './project.ts';
import { findProgram } from './prometheus.ts';
import { findTofu } from './terraform.ts';
import { findWebUiServer } from './web-ui-server.ts';

/** Programs that their tests build for themselves. Building them here fills Go's cache. */
const clients = ['interop/go', 'packages/kms-emulator/test/clients/go', 'scripts/google-provider'];

/** Starts this file as a process of the lowest priority. Resolves when it has ended. */
export async function buildGoTools(): Promise<void> {
  const child = await startChild(process.execPath, [import.meta.filename], process.env, 'inherit');
  setPriority(child.pid, constants.priority.PRIORITY_LOW);
  await child.exited;
}

async function buildAll(): Promise<void> {
  const go = await findGo('tests that need it are skipped');
  if (go === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'go-clients-'));
  try {
    for (const build of [
      () => findTofu(go),
      () => findWebUiServer(go),
      ...clients.map((client) => () => go.build(join(projectRoot, client), join(folder, 'client'))),
      findHelm,
      () => findProgram('promtool'),
      () => findCaddy('what needs it is skipped'),
    ]) {
      // The test that needs the program builds it again, and reports why that fails.
      await build().catch(() => undefined);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (import.meta.main) await buildAll();

/**
 * Builds what tests need of Go and no registry contains, one program after the other. `pnpm test` runs this file next to the tests: one
 * that needs a program finds it, or waits for its lock.
 */
import { join } from 'node:path';
import { findCaddy } from './caddy.ts';
import { startChild } from './child.ts';
import { findGo } from './go.ts';
import { findHelm } from './helm.ts';
import { projectRoot } from './project.ts';
import { findProgram } from './prometheus.ts';
import { findWebUiServer } from './web-ui-server.ts';

/** Starts this file as a process. Resolves when it has ended. */
export async function buildGoTools(): Promise<void> {
  const child = await startChild(process.execPath, [import.meta.filename], process.env, 'inherit');
  await child.exited;
}

async function buildAll(): Promise<void> {
  const go = await findGo('tests that need it are skipped');
  if (go === undefined) return;
  for (const build of [
    () => findWebUiServer(go),
    ...['interop/go', 'scripts/google-provider'].map((folder) => () => go.build(join(projectRoot, folder))),
    findHelm,
    () => findProgram('promtool'),
    () => findCaddy('what needs it is skipped'),
  ]) {
    // The test that needs the program builds it again, and reports why that fails.
    await build().catch(() => undefined);
  }
}

if (import.meta.main) await buildAll();

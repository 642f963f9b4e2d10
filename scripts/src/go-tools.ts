/**
 * Builds the Go programs that tests need and no registry contains, one after the other. `pnpm test` runs this
 * file in parallel with the tests. A test that needs a program finds it, or waits for the program's lock.
 */
import { join } from 'node:path';
import { findCaddy } from './caddy.ts';
import { startChild } from './child.ts';
import { findGo } from './go.ts';
import { findHelm } from './helm.ts';
import { projectRoot } from './project.ts';
import { findProgram } from './prometheus.ts';
import { findWebUiServer } from './web-ui-server.ts';

/** Runs this file as a process. Resolves when the process has ended. */
export async function buildGoTools(): Promise<void> {
  const child = await startChild(process.execPath, [import.meta.filename], process.env, 'inherit');
  await child.exited;
}

async function buildAll(): Promise<void> {
  const go = await findGo('tests that need Go are skipped');
  if (go === undefined) return;
  for (const build of [
    () => findWebUiServer(go),
    ...['interop/go', 'scripts/google-provider'].map((folder) => () => go.build(join(projectRoot, folder))),
    findHelm,
    () => findProgram('promtool'),
    () => findCaddy('tests with Caddy are skipped'),
  ]) {
    // Ignore the error: the test that needs the program tries again, and reports why the build fails.
    await build().catch(() => undefined);
  }
}

if (import.meta.main) await buildAll();

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type NativeConnection, type WorkerPlugin } from '@temporalio/worker';
import { activities } from './activities.ts';
import type { WorkerCode } from './code.ts';

/**
 * After the grace time, the worker cancels activities. After this additional time, the worker abandons the
 * activities.
 */
const FORCE_AFTER_GRACE_SECONDS = 10;

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** The code that the worker runs. Default: the samples. */
  readonly code?: WorkerCode | undefined;
  /** The codec's plugin. Without this plugin, Temporal stores payloads in plaintext. */
  readonly plugins: WorkerPlugin[];
  /** How many seconds running activities have to complete after a shutdown begins. */
  readonly shutdownGraceSeconds: number;
}

/** Creates a worker that runs `code` or, by default, the samples. Call `run()` to start polling. */
export function createWorker(deps: WorkerDeps): Promise<Worker> {
  const { shutdownGraceSeconds, code = samples(), plugins, ...given } = deps;
  return Worker.create({
    ...code,
    ...given,
    // The codec's plugin is last, so that it encrypts the payloads that the other plugins return.
    plugins: [...(code.plugins ?? []), ...plugins],
    shutdownGraceTime: shutdownGraceSeconds * 1_000,
    shutdownForceTime: (shutdownGraceSeconds + FORCE_AFTER_GRACE_SECONDS) * 1_000,
  });
}

/** `dist/` contains a prebuilt bundle, so a deployed worker does not need the sources or the bundler. */
const bundle = join(import.meta.dirname, 'workflow-bundle.js');

/** Whether this is the built worker, which has no compiler for workflow code. */
export const isBuilt: boolean = existsSync(bundle);

const samples = (): WorkerCode => ({
  activities,
  ...(isBuilt
    ? { workflowBundle: { codePath: bundle } }
    : { workflowsPath: join(import.meta.dirname, 'workflows', 'index.ts') }),
});

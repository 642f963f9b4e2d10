import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type NativeConnection, type WorkerOptions, type WorkerPlugin } from '@temporalio/worker';
import { activities } from './activities.ts';

/** The worker cancels activities after the grace time. After this further time it abandons those that still run. */
const FORCE_AFTER_GRACE_SECONDS = 10;

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** The codec's plugin. Without it, Temporal stores payloads in plaintext. */
  readonly plugins: WorkerPlugin[];
  /** Time for running activities to complete after the start of a shutdown. */
  readonly shutdownGraceSeconds: number;
}

/** Creates a worker with every workflow and activity of this application. Call `run()` to start polling. */
export function createWorker(deps: WorkerDeps): Promise<Worker> {
  const { shutdownGraceSeconds, ...given } = deps;
  return Worker.create({
    ...given,
    activities,
    ...workflowCode(),
    shutdownGraceTime: shutdownGraceSeconds * 1_000,
    shutdownForceTime: (shutdownGraceSeconds + FORCE_AFTER_GRACE_SECONDS) * 1_000,
  });
}

/** `dist/` contains a prebuilt bundle, so that a deployed worker needs neither the sources nor the bundler. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = join(import.meta.dirname, 'workflow-bundle.js');
  return existsSync(codePath)
    ? { workflowBundle: { codePath } }
    : { workflowsPath: join(import.meta.dirname, 'workflows', 'index.ts') };
}

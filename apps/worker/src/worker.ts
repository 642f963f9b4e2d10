import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type NativeConnection, type WorkerOptions, type WorkerPlugin } from '@temporalio/worker';
import { activities } from './activities/index.ts';

/** After the grace time activities are cancelled; one that doesn't end within this time is given up. */
const FORCE_AFTER_GRACE_SECONDS = 10;

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  /** The codec comes in by its plugin; without one, payloads are stored in clear. */
  readonly plugins: WorkerPlugin[];
  /** How long running activities may go on after a shutdown was asked for. */
  readonly shutdownGraceSeconds: number;
}

/** A worker with every workflow and activity of this app. It doesn't poll yet: `run()` it. */
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

/** `dist/` holds a prebuilt bundle, so that a deployed worker neither has nor needs the sources and the bundler. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = join(import.meta.dirname, 'workflow-bundle.js');
  return existsSync(codePath)
    ? { workflowBundle: { codePath } }
    : { workflowsPath: join(import.meta.dirname, 'workflows', 'index.ts') };
}

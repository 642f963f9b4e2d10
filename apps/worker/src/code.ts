import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import type { WorkerOptions } from '@temporalio/worker';

/** Options that the worker sets itself, with the variable that determines each option. */
const ownOptions = {
  connection: 'TEMPORAL_ADDRESS',
  namespace: 'TEMPORAL_NAMESPACE',
  taskQueue: 'TEMPORAL_TASK_QUEUE',
  shutdownGraceTime: 'WORKER_SHUTDOWN_GRACE_SECONDS',
  shutdownForceTime: 'WORKER_SHUTDOWN_GRACE_SECONDS',
} as const satisfies Partial<Record<keyof WorkerOptions, string>>;

/**
 * The workflows, activities and Nexus services of an application, with further options of Temporal's
 * `Worker.create`.
 */
export type WorkerCode = Omit<WorkerOptions, keyof typeof ownOptions>;

interface CodeContext extends Required<Pick<WorkerOptions, 'namespace' | 'taskQueue'>> {
  /** Whether the worker can compile workflow code. A built worker cannot. */
  readonly hasCompiler: boolean;
}

interface LoadedCode {
  readonly code: WorkerCode;
  /** The worker's options after the code's plugins have changed them. */
  readonly options: WorkerOptions;
}

/**
 * Loads the module that `WORKER_CODE` names: an ES module whose default export is a {@link WorkerCode}.
 *
 * @param path relative to the current folder
 * @throws Error that states what to change, if the module does not load, or if the worker cannot run the
 * module's exports
 */
export async function loadCode(path: string, { hasCompiler, ...given }: CodeContext): Promise<LoadedCode> {
  const file = resolve(path);
  let module: { readonly default?: WorkerCode };
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    throw new Error(`WORKER_CODE: ${file} does not load: ${messageOf(error)}`, { cause: error });
  }
  const { default: code } = module;
  if (typeof code !== 'object' || code === null) {
    throw new Error(`WORKER_CODE: ${file} must have a default export that is an object.`);
  }
  const mistake = mistakeIn({ ...code });
  if (mistake !== undefined) throw new Error(`WORKER_CODE: ${file} ${mistake}.`);
  const options = await withPlugins({ ...code, ...given });
  // Temporal's SDK ignores `workflowsPath` if `workflowBundle` is set.
  if (options.workflowsPath !== undefined && options.workflowBundle === undefined && !hasCompiler) {
    const source = code.workflowsPath === undefined ? 'has a plugin that adds' : 'exports';
    throw new Error(
      `WORKER_CODE: ${file} ${source} workflowsPath, but a built worker has no compiler: export workflowBundle instead ` +
        '(see the README).',
    );
  }
  return { code, options };
}

async function withPlugins(options: WorkerOptions): Promise<WorkerOptions> {
  let result = options;
  for (const plugin of options.plugins ?? []) result = (await plugin.configureWorker?.(result)) ?? result;
  return result;
}

function mistakeIn(code: Readonly<Record<string, unknown>>): string | undefined {
  for (const [option, variable] of Object.entries(ownOptions)) {
    if (code[option] !== undefined) return `exports ${option}, which ${variable} sets`;
  }
  const { activities, nexusServices, plugins, workflowBundle, workflowsPath } = code;
  const isEmpty = [activities, nexusServices, plugins, workflowBundle, workflowsPath].every(
    (part) => part === undefined,
  );
  return isEmpty
    ? 'exports no workflowBundle, workflowsPath, activities, nexusServices or plugins'
    : undefined;
}

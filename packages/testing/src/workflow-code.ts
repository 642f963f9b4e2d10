import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';
import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Compiled workflow code, as a worker option. */
export interface WorkflowCode {
  readonly codePath: string;
}

/**
 * Compiles workflow code once for all tests of a run, because a compilation takes seconds.
 * @param workflows URL of the module that exports the workflows
 * @param options options and plugins for the compilation; plugins with the same name must add the same code
 */
export async function compileWorkflows(
  workflows: string | URL,
  options: Pick<BundleOptions, 'plugins' | 'failureConverterPath'> = {},
): Promise<WorkflowCode> {
  const workflowsPath = fileURLToPath(workflows);
  const parts = [
    workflowsPath,
    options.failureConverterPath,
    ...(options.plugins ?? []).map(({ name }) => name),
  ];
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
  const folder = await oncePerRun(`workflows-${digest}`, async (into) => {
    const logger = new DefaultLogger('ERROR');
    const { code } = await bundleWorkflowCode({ workflowsPath, logger, ...options });
    await writeFile(join(into, 'workflows.js'), code);
  });
  return { codePath: join(folder, 'workflows.js') };
}

import { join } from 'node:path';
import { execa } from 'execa';
import { projectRoot } from './project.ts';

const executable = join(projectRoot, 'node_modules', '.bin', 'turbo');
const quiet = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' };

/** Runs turbo in the terminal and returns its exit status. */
export async function turbo(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const options = { cwd: projectRoot, env: { ...quiet, ...env }, stdio: 'inherit', reject: false } as const;
  return (await execa(executable, args, options)).exitCode ?? 1;
}

export interface PackageTask {
  readonly package: string;
  /** The package's folder, relative to the project's root. */
  readonly directory: string;
}

/** Returns the packages in which `turbo run <task> <args>` would run a script. */
export async function packagesWith(task: string, args: readonly string[] = []): Promise<PackageTask[]> {
  const dryRun = ['run', task, ...args, '--dry-run=json'];
  const { stdout } = await execa(executable, dryRun, { cwd: projectRoot, env: quiet });
  const { tasks }: { tasks: (PackageTask & { task: string; command: string })[] } = JSON.parse(stdout);
  return tasks.filter((found) => found.task === task && found.command !== '<NONEXISTENT>');
}

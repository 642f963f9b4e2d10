/** Helpers to test that a build is reproducible, which means that it depends only on its sources. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { glob, mkdtemp, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { oncePerRun } from './once-per-run.ts';
import { copyFiles, projectFiles } from './project-files.ts';
import { projectRoot } from './project.ts';

const run = promisify(execFile);

/**
 * Copies the files that builds read, once for all tests of a run. Copies the sources, and makes hard links to
 * the installed packages.
 */
const copyWorkspace = (): Promise<string> =>
  oncePerRun('workspace', async (copy) => {
    const outside = ['docs', 'e2e', '*/test/*', '*/tests/*', '*/bench/*'].map((path) => `:!${path}`);
    await copyFiles(await projectFiles(...outside), copy);
    for await (const folder of glob('{.,apps/*,packages/*,scripts}/node_modules', { cwd: projectRoot })) {
      const paths = [join(projectRoot, folder), join(copy, folder)];
      // A hard link is impossible if the temporary folder is on another file system.
      await run('cp', ['-RPl', ...paths]).catch(() => run('cp', ['-RP', ...paths]));
    }
  });

/** Moves Node's clock by a year. Otherwise, a test that compares two builds would not notice a date in their output. */
const laterClock = `globalThis.Date = class extends Date {
  constructor(...parts) { if (parts.length > 0) super(...parts); else super(Date.now()); }
  static now() { return super.now() + 366 * 86_400_000; }
};`;

/**
 * Runs a build in a copy of the workspace, with a different path, date, time zone, language and file mode.
 * @param directory the folder in which to run the build, relative to the root
 * @param command the program and its arguments, to which this function adds the output folder
 * @returns the output folder
 */
export async function rebuild(directory: string, ...command: readonly string[]): Promise<string> {
  const copy = await copyWorkspace();
  const out = await mkdtemp(join(copy, 'out-'));
  const options = {
    cwd: join(copy, directory),
    env: {
      ...process.env,
      TZ: 'Pacific/Kiritimati',
      LC_ALL: 'C',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(laterClock)}`,
      pnpm_config_verify_deps_before_run: 'false',
    },
    timeout: 180_000,
    maxBuffer: 2 ** 26,
  };
  await run('sh', ['-c', 'umask 077 && exec "$@"', 'sh', ...command, out], options);
  return out;
}

/** Returns the SHA-256 of each file in a folder, or the target of a symbolic link, by the file's path. */
export async function contentOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const content = entry.isSymbolicLink()
        ? await readlink(path)
        : createHash('sha256')
            .update(await readFile(path))
            .digest('hex');
      return [path.slice(folder.length + 1), content] as const;
    });
  return Object.fromEntries(await Promise.all(files));
}

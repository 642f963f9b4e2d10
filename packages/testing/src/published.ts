/**
 * Helpers to test packages as an application receives them. The packages are packed, and a package manager
 * installs them into a separate folder.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLock } from '@temporal-kms/scripts/lock';
import { oncePerRun } from '@temporal-kms/scripts/once-per-run';
import { projectRoot } from '@temporal-kms/scripts/project';
import { rebuild } from '@temporal-kms/scripts/rebuilt';

const execFileAsync = promisify(execFile);

type Manager = 'npm' | 'pnpm' | 'yarn';
const YARN = '@yarnpkg/cli-dist@4.18.1';

/** The Temporal SDK packages that an application with workers and clients installs. */
export const temporalPackages = (version: string): Record<string, string> =>
  Object.fromEntries(
    ['activity', 'client', 'common', 'proto', 'worker', 'workflow'].map((name) => [
      `@temporalio/${name}`,
      version,
    ]),
  );

/**
 * Environment variables that workspace scripts or a developer's shell may have set, but that would not be set
 * for an application.
 */
const ours = /^(npm_(?!config)|pnpm_|VITEST|NODE_(ENV|OPTIONS|PATH)$|TEMPORAL_|GCP_|KMS_|GOOGLE_)/i;

/**
 * Returns an environment with this Node executable first on the PATH and the machine's settings (registry,
 * certificates), but without the workspace's variables.
 */
const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  ...extra,
});

/**
 * Number of characters of a command's output that an error shows. The error shows the end of the output,
 * where tools print what went wrong.
 */
const SHOWN = 4_000;

/**
 * Runs a command and returns its standard output.
 * @throws Error with the command and the end of its output, if the exit status is not 0
 */
export async function run(
  cwd: string,
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const options = { cwd, env: environment(env), timeout: 180_000, maxBuffer: 2 ** 26 };
  const { error, stdout, stderr } = await new Promise<{
    error: Error | null;
    stdout: string;
    stderr: string;
  }>((resolve) =>
    execFile(file, args, options, (...[e, out, err]) => resolve({ error: e, stdout: out, stderr: err })),
  );
  if (error === null) return stdout;
  const printed = `${stdout}\n${stderr}`.trim().slice(-SHOWN);
  throw new Error(`This command failed in ${cwd}:\n  ${file} ${args.join(' ')}\n${printed}`);
}

/** Runs a program with the Node executable that runs the tests, and returns the program's output. */
export const node = (
  folder: string,
  args: readonly string[],
  env?: Record<string, string>,
): Promise<string> => run(folder, process.execPath, args, env);

async function pnpm(cwd: string, ...args: string[]): Promise<void> {
  const [program, ...options] = await pnpmCommand();
  await run(cwd, program, [...options, ...args]);
}

/** Returns the command that starts the workspace's version of pnpm. */
async function pnpmCommand(): Promise<[program: string, ...args: string[]]> {
  const root = await readFile(join(import.meta.dirname, '../../../package.json'), 'utf8');
  const [, version] = /"packageManager": "(pnpm@[\d.]+)"/.exec(root) ?? [];
  return ['npx', '-y', version ?? 'pnpm'];
}

/**
 * Builds and packs a package as `pnpm publish` does, once for all tests of a run. Only one process at a time
 * writes to the package's `dist`.
 * @returns the tarball's path
 */
export async function pack(packageFolder: string): Promise<string> {
  const folder = await oncePerRun(`packed-${basename(packageFolder)}`, (into) =>
    withLock(join(packageFolder, 'node_modules', '.pack.lock'), () =>
      pnpm(packageFolder, 'pack', '--pack-destination', into),
    ),
  );
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('pnpm pack left no tarball');
  return join(folder, tarball);
}

/** Packs a package again, in another folder and at another time. Returns the tarball's folder. */
export const repack = async (packageFolder: string): Promise<string> =>
  rebuild(relative(projectRoot, packageFolder), ...(await pnpmCommand()), 'pack', '--pack-destination');

/**
 * Returns the API report, which shows API changes to a reviewer. The report contains the built package's
 * declarations, without comments, without hashes in file names, and without the numbers that the bundler adds
 * to names in some builds. `npx vitest run test/package.test.ts -u` updates the committed report.
 */
export async function apiReport(dist: string): Promise<string> {
  const names = (await readdir(dist)).filter((name) => name.endsWith('.d.cts')).toSorted();
  const texts = names.map(async (name) => `// ${name}\n${await readFile(join(dist, name), 'utf8')}`);
  const text = (await Promise.all(texts)).join('\n');
  return text
    .replaceAll(/\s*\/\*\*[\s\S]*?\*\//g, '')
    .replaceAll(/-[\w-]{8}(?=\.(?:d\.)?cts|\.cjs)/g, '')
    .replaceAll(/^\/\/#.*\n/gm, '')
    .replaceAll(/\b(\w+) as \1\$\d+/g, '$1')
    .replaceAll(/\b(\w+)\$\d+/g, '$1');
}

export interface Project {
  readonly manager: Manager;
  readonly type?: 'module' | 'commonjs';
  /** The names and versions of the dependencies. */
  readonly dependencies: Record<string, string>;
  /**
   * Versions that apply to the whole dependency tree, to test the lowest versions that the package declares.
   */
  readonly overrides?: Record<string, string>;
}

/**
 * Creates a project in which npm has installed `kms-codec` alongside Temporal's packages. npm does this once for
 * all tests of a run, because it takes 13 CPU seconds.
 * @param folder the project's folder, which must not exist
 * @param more further packages that npm then adds, as `npm install` takes them
 */
export async function installCodec(folder: string, more: readonly string[]): Promise<void> {
  const shared = await oncePerRun('npm-project', async (into) => {
    const codec = await pack(join(projectRoot, 'packages/kms-codec'));
    const dependencies = { ...temporalPackages('~1.24.0'), '@temporal-kms/kms-codec': `file:${codec}` };
    await install(join(into, 'npm'), { manager: 'npm', dependencies });
  });
  await run(shared, 'cp', ['-R', 'npm', folder]);
  await npmInstall(folder, ...more);
}

const npmInstall = (folder: string, ...packages: readonly string[]): Promise<string> =>
  run(folder, 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages]);

/** Creates a project in the folder and installs its dependencies from the machine's registry or cache. */
export async function install(
  folder: string,
  { manager, type = 'module', dependencies, overrides = {} }: Project,
): Promise<void> {
  await mkdir(folder);
  const manifest = {
    name: 'application',
    private: true,
    type,
    dependencies,
    overrides,
    resolutions: overrides,
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  switch (manager) {
    case 'npm':
      await npmInstall(folder);
      break;
    case 'pnpm': {
      // Like the README, denies two build scripts. With `strictDepBuilds: false`, pnpm skips the build
      // scripts of the tests' tools without an error.
      const settings = {
        allowBuilds: { '@swc/core': false, protobufjs: false },
        strictDepBuilds: false,
        overrides,
      };
      await writeFile(join(folder, 'pnpm-workspace.yaml'), JSON.stringify(settings));
      await pnpm(folder, 'install', '--prefer-offline');
      break;
    }
    case 'yarn': {
      // Yarn does not read npm's settings.
      const setting = async (key: string): Promise<string> =>
        (await run(folder, 'npm', ['config', 'get', key])).trim();
      const certificates = await setting('cafile');
      const settings = {
        nodeLinker: 'node-modules',
        npmRegistryServer: await setting('registry'),
        ...(certificates !== 'null' && { httpsCaFilePath: certificates }),
        enableScripts: false,
        enableTelemetry: false,
        enableImmutableInstalls: false,
      };
      await writeFile(join(folder, '.yarnrc.yml'), JSON.stringify(settings));
      await writeFile(join(folder, 'yarn.lock'), '');
      await run(folder, 'npx', ['-y', YARN, 'install']);
    }
  }
}

/**
 * Returns the errors that TypeScript finds in a folder and in the types that the folder uses, except errors
 * in Temporal's types. Uses the settings of the README's `tsc --init` command.
 */
export async function typeErrors(folder: string): Promise<string[]> {
  const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
  await node(folder, [tsc, '--init', '--types', 'node', '--rewriteRelativeImportExtensions']);
  const options = { cwd: folder, env: environment(), timeout: 180_000 };
  try {
    const args = [tsc, '-p', '.', '--noEmit', '--skipLibCheck', 'false'];
    await execFileAsync(process.execPath, args, options);
    return [];
  } catch (error) {
    if (!(error instanceof Error) || !('stdout' in error)) throw error;
    const errors = String(error.stdout)
      .split('\n')
      .filter((line) => line.includes('error TS'));
    if (errors.length === 0) throw error;
    return errors.filter((line) => !line.startsWith('node_modules/@temporalio/'));
  }
}

export interface Running {
  /** Sends SIGTERM and returns the exit code. */
  stop(): Promise<number | null>;
}

export function startNode(folder: string, args: readonly string[], env: Record<string, string>): Running {
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: folder,
    env: environment(env),
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  return {
    stop: async () => {
      child.kill('SIGTERM');
      const [code]: (number | null)[] = await ended;
      return code ?? null;
    },
  };
}

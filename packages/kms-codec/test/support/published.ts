import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const packageFolder = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The packages that an application with workers and clients installs beside the codec. */
const beside = ['client', 'worker', 'common', 'activity', 'workflow'].map(
  (name) => `@temporalio/${name}@~1.24.0`,
);

/** What a workspace's script is told, and what tells Temporal, Google and the codec what to use. */
const ours = /^(npm_(?!config)|pnpm_|VITEST|NODE_(ENV|OPTIONS|PATH)$|TEMPORAL_|GCP_|KMS_|GOOGLE_)/i;

/** This Node first, the machine's settings (registry, certificates), and nothing of the workspace's. */
const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))),
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
  ...extra,
});

async function pnpm(cwd: string, ...args: string[]): Promise<void> {
  const root = await readFile(join(packageFolder, '../../package.json'), 'utf8');
  const [, version] = /"packageManager": "(pnpm@[\d.]+)"/.exec(root) ?? [];
  await run('npx', ['-y', version ?? 'pnpm', ...args], { cwd, env: environment() });
}

/** Builds and packs as `pnpm publish` does. @returns the tarball's path */
export async function pack(into: string): Promise<string> {
  await pnpm(packageFolder, 'pack', '--pack-destination', into);
  const tarball = (await readdir(into)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('pnpm pack left no tarball');
  return join(into, tarball);
}

/** An empty project with the tarball installed from the machine's registry. */
export async function install(folder: string, manager: 'npm' | 'pnpm', tarball: string): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  if (manager === 'npm') {
    const flags = ['--no-audit', '--no-fund', '--prefer-offline'];
    await run('npm', ['install', ...flags, tarball, ...beside], { cwd: folder, env: environment() });
  } else {
    const builds = "allowBuilds: { '@swc/core': false, protobufjs: false }\n";
    await writeFile(join(folder, 'pnpm-workspace.yaml'), builds);
    await pnpm(folder, 'add', '--prefer-offline', tarball, ...beside);
  }
}

/** Runs node in a folder and gives what it printed. @throws what it printed to standard error when it fails */
export async function node(
  folder: string,
  args: readonly string[],
  env?: Record<string, string>,
): Promise<string> {
  const options = { cwd: folder, env: environment(env), timeout: 60_000 };
  const { stdout } = await run(process.execPath, args, options);
  return stdout;
}

/** What TypeScript finds in a folder's files and in the types that they use, Temporal's own apart. */
export async function typeErrors(folder: string): Promise<string[]> {
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ['node'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
  const options = { cwd: folder, env: environment(), timeout: 60_000 };
  try {
    await run(process.execPath, [tsc, '-p', '.'], options);
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
  /** @returns its exit code after SIGTERM */
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

import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdir, readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve as absolute, sep } from 'node:path';
import { nodeFileTrace } from '@vercel/nft';
import { toolsDir } from './project.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };
const platforms: Readonly<Record<string, string>> = {
  darwin: 'apple-darwin',
  linux: 'unknown-linux-gnu',
  win32: 'pc-windows-msvc',
};

/**
 * The platform of the built worker, as `@temporalio/core-bridge` names it. The default is this machine's
 * platform.
 */
const target =
  process.env['WORKER_TARGET'] || `${architectures[process.arch]}-${platforms[process.platform]}`;

const native = /[/\\]core-bridge[/\\]releases[/\\]/;

/** Matches the packages that compile the workflows' TypeScript for the workflow bundle. */
const compiler = /[/\\]node_modules[/\\](?:@swc|swc-loader)[/\\]/;

/** A file that a build wrote, as Rolldown describes it. */
type Built =
  | { readonly type: 'asset' }
  | { readonly type: 'chunk'; readonly imports: string[]; readonly dynamicImports: string[] };

/**
 * Copies into `out/node_modules` only the files of Temporal's packages that the built modules load. Leaves out
 * the builds of the native library for other platforms. Also leaves out the workflow compiler, because the
 * workflow bundle is already built.
 * @param app the folder whose node_modules contain the packages
 * @param chunks the build's chunks, which import the packages
 * @throws Error if the native library has no build for the platform
 */
export async function copyPackages(app: string, out: string, chunks: readonly Built[]): Promise<void> {
  const built = absolute(out);
  const root = join(app, '..', '..');
  const imports = chunks.flatMap((chunk) =>
    chunk.type === 'chunk' ? [...chunk.imports, ...chunk.dynamicImports] : [],
  );
  const packages = new Set(imports.filter((name) => name.startsWith('@temporalio/')));
  const files = new Set<string>();
  const { resolve } = createRequire(join(app, 'main.mjs'));
  const cache = {};
  for (const name of packages) {
    // pnpm's link to the package.
    files.add(join(app, 'node_modules', ...name.split('/', 2)));
    for (const file of await filesOf(name, resolve(name), root, cache)) files.add(file);
  }
  const wanted = [...files].filter((file) => !native.test(file) || file.includes(`${sep}${target}${sep}`));
  if (!wanted.some((file) => native.test(file))) {
    throw new Error(`WORKER_TARGET: @temporalio/core-bridge has no build for ${target}`);
  }
  const placeOf = (file: string): string | undefined => {
    const from = [app, root].find((folder) => file.startsWith(join(folder, 'node_modules', sep)));
    return from && join(built, relative(from, file));
  };
  for (const file of wanted) {
    const place = placeOf(file);
    if (place === undefined) throw new Error(`${file} is outside the node_modules of the workspace.`);
    await mkdir(dirname(place), { recursive: true });
    if (!(await lstat(file)).isSymbolicLink()) {
      await copyFile(file, place);
      continue;
    }
    const linked = placeOf(absolute(dirname(file), await readlink(file)));
    if (linked !== undefined) await symlink(relative(dirname(place), linked), place);
  }
}

/**
 * Returns the files that a package's entry point loads. The search takes several seconds, so every build
 * keeps its result for the builds of other applications, as long as this file and the installed packages do
 * not change.
 * @param cache what the searches for other packages have read
 */
async function filesOf(name: string, entry: string, root: string, cache: object): Promise<string[]> {
  const hash = createHash('sha256').update(relative(root, entry));
  for (const file of [import.meta.filename, join(root, 'pnpm-lock.yaml')])
    hash.update('\0').update(await readFile(file));
  const key = hash.digest('hex');
  const place = join(toolsDir, `traced-${basename(name)}.json`);
  const kept: { key?: string; files?: string[] } = await readFile(place, 'utf8')
    .then(JSON.parse)
    .catch(() => ({}));
  if (kept.key === key && kept.files) return kept.files.map((file) => join(root, file));
  const { fileList } = await nodeFileTrace([entry], {
    base: root,
    cache,
    // Without this setting, the tracer would copy every path that the code computes, such as the state
    // folder.
    ignore: (file) => compiler.test(file) || !file.includes('node_modules'),
  });
  const unfinished = `${place}.${process.pid}`;
  await mkdir(toolsDir, { recursive: true });
  await writeFile(unfinished, JSON.stringify({ key, files: [...fileList] }));
  await rename(unfinished, place);
  return [...fileList].map((file) => join(root, file));
}

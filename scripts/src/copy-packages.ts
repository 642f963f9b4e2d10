import { createHash } from 'node:crypto';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative, resolve as absolute, sep } from 'node:path';
import { nodeFileTrace, resolve } from '@vercel/nft';
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

/**
 * Copies into `out/node_modules` only the files of packages that the built modules in `out` load. Leaves out
 * the builds of the native library for other platforms. Also leaves out the workflow compiler, because the
 * workflow bundle is already built.
 * @param app the folder whose node_modules contain the packages
 * @throws Error if the native library has no build for the platform
 */
export async function copyPackages(app: string, out: string): Promise<void> {
  const built = absolute(out);
  const names = await readdir(built);
  const modules = names.filter((name) => name.endsWith('.mjs')).map((name) => join(built, name));
  const root = join(app, '..', '..');
  const files = await keptFor(app, modules, root, async () => {
    const { fileList } = await nodeFileTrace(modules, {
      base: sep,
      processCwd: app,
      // Without this setting, the tracer would copy every path that the code computes, such as the state
      // folder.
      ignore: (file) =>
        compiler.test(file) || !(file.includes('node_modules') || join(sep, file).startsWith(built)),
      // Imports from built files resolve as if the files were in the application's folder.
      resolve: (id, parent, job, cjs) =>
        resolve(
          id,
          parent.startsWith(built) && !id.startsWith('.') ? join(app, 'main.mjs') : parent,
          job,
          cjs,
        ),
    });
    return [...fileList].map((file) => join(sep, file)).filter((file) => !file.startsWith(built));
  });
  const wanted = files.filter((file) => !native.test(file) || file.includes(`${sep}${target}${sep}`));
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
 * Returns the result of `trace`, which takes several seconds. If this file, the installed packages and the
 * built modules have not changed since the last build, returns the result of that build.
 */
async function keptFor(
  app: string,
  modules: readonly string[],
  root: string,
  trace: () => Promise<string[]>,
): Promise<string[]> {
  const hash = createHash('sha256');
  for (const file of [import.meta.filename, join(root, 'pnpm-lock.yaml'), ...modules])
    hash.update(await readFile(file)).update('\0');
  const key = hash.digest('hex');
  const place = join(toolsDir, `traced-${basename(app)}.json`);
  const kept: { key?: string; files?: string[] } = await readFile(place, 'utf8')
    .then(JSON.parse)
    .catch(() => ({}));
  if (kept.key === key && kept.files) return kept.files.map((file) => join(root, file));
  const files = await trace();
  const unfinished = `${place}.${process.pid}`;
  await mkdir(toolsDir, { recursive: true });
  await writeFile(unfinished, JSON.stringify({ key, files: files.map((file) => relative(root, file)) }));
  await rename(unfinished, place);
  return files;
}

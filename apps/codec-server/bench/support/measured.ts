import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuTime, residentMemory } from '@temporal-kms/scripts/figures';

/** A server under measurement. */
export interface Measured {
  readonly url: string;
  readonly pid: number;
  /**
   * Returns the CPU time of all the server's threads, in ms. On a shared machine, CPU time varies far less
   * than throughput.
   */
  cpu(): Promise<number>;
  /** Path of the file with the server's output. */
  readonly output: string;
  /** Returns the present and the peak resident memory in MiB. */
  memory(): Promise<{ readonly now: number; readonly peak: number }>;
  stop(): Promise<void>;
}

export interface MeasuredOptions {
  readonly cwd: string;
  /** All environment variables of the server. */
  readonly env: Readonly<Record<string, string>>;
  /** The port on 127.0.0.1 on which the server listens. */
  readonly port: number;
  /**
   * Path of the file for the server's output. The server writes to a file, because reading a pipe would
   * disturb the measurement.
   */
  readonly output: string;
  /** Whether standard output is a pipe, as in a container. `cat` reads the pipe, on the load's core. */
  readonly piped?: boolean;
  /** Whether the server may use every core. Default: the server is pinned to one core. */
  readonly anyCore?: boolean;
}

/** Servers run on the second core, and the load runs on the first core. */
const SERVER_CORE = '1';
const LOAD_CORE = '0';

const START_MS = 10_000;

/** Pins this process to the core for the load. @throws Error unless the machine runs Linux and has two cores */
export function pinToLoadCore(): void {
  if (process.platform !== 'linux' || availableParallelism() < 2) {
    throw new Error(
      'The benchmark pins servers to one core and the load to another, which needs Linux and two cores.',
    );
  }
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', LOAD_CORE, String(process.pid)]);
}

/** Starts a server and waits until it responds. The server ends when this process ends. */
export async function startMeasured(
  [file, ...args]: readonly [string, ...string[]],
  { cwd, env, port, output, piped = false, anyCore = false }: MeasuredOptions,
): Promise<Measured> {
  const out = openSync(output, 'w');
  const pipe = piped ? pipeTo(out, `${output}.pipe`) : out;
  // The child's process id is the server's, because taskset replaces itself with the server.
  const cores = anyCore ? `0-${availableParallelism() - 1}` : SERVER_CORE;
  const child = spawn('taskset', ['--cpu-list', cores, file, ...args], {
    cwd,
    env,
    stdio: ['ignore', pipe, out],
  });
  closeSync(out);
  if (piped) closeSync(pipe);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady(child, url, output);
  return {
    url,
    pid,
    output,
    cpu: () => cpuTime(pid),
    memory: () => residentMemory(pid),
    stop: async () => {
      process.off('exit', kill);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Returns the write end of a new pipe. The process that reads the pipe ends when the last writer ends. */
function pipeTo(out: number, path: string): number {
  spawnSync('mkfifo', [path]);
  spawn('cat', [path], { stdio: ['ignore', out, 'ignore'] });
  return openSync(path, 'w');
}

async function waitUntilReady(child: ChildProcess, url: string, output: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (child.exitCode === null && performance.now() < deadline) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response !== undefined) {
      await response.body?.cancel();
      return;
    }
    await sleep(2);
  }
  throw new Error(`The server did not start; its output: ${await readFile(output, 'utf8')}`);
}

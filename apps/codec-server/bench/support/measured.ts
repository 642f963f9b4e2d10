import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server under measurement, alone on its core. */
export interface Measured {
  readonly url: string;
  readonly pid: number;
  /** CPU time used so far by all its threads, in ms: far steadier than requests a second where others use the machine. */
  cpu(): Promise<number>;
  /** The file with what it has printed. */
  readonly output: string;
  /** Resident memory in MiB, now and at its highest. */
  memory(): Promise<{ readonly now: number; readonly peak: number }>;
  stop(): Promise<void>;
}

export interface MeasuredOptions {
  readonly cwd: string;
  /** The server's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** It listens on this port of 127.0.0.1. */
  readonly port: number;
  /** File for what it prints: a pipe to us would have us read while we measure. */
  readonly output: string;
  /** Its standard output is a pipe, as in a container, and `cat` on the load's core reads it. */
  readonly piped?: boolean;
  /** It may use every core, as a server with threads does. */
  readonly anyCore?: boolean;
}

/** The second core is the servers', the first one the load's. */
const SERVER_CORE = '1';
const LOAD_CORE = '0';

/** Clock ticks a second in /proc, `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
const TICK_MS = 10;
const START_MS = 10_000;

/** @throws Error where there are no two cores to pin to */
export function pinToLoadCore(): void {
  if (process.platform !== 'linux' || availableParallelism() < 2) {
    throw new Error(
      'Servers are pinned to one core and the load to another: this needs Linux and two cores.',
    );
  }
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', LOAD_CORE, String(process.pid)]);
}

/** Starts a server on its core and waits until it answers. It ends with this process. */
export async function startMeasured(
  [file, ...args]: readonly [string, ...string[]],
  { cwd, env, port, output, piped = false, anyCore = false }: MeasuredOptions,
): Promise<Measured> {
  const out = openSync(output, 'w');
  const pipe = piped ? pipeTo(out, `${output}.pipe`) : out;
  // taskset becomes what it starts: the process id is the server's own.
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
  await answering(child, url, output);
  return {
    url,
    pid,
    output,
    cpu: async () => {
      // After the name in brackets, which may hold anything: user and system time are fields 14 and 15 of proc(5).
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    memory: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      const mebibytes = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
      return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
    },
    stop: async () => {
      process.off('exit', kill);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** @returns what writes into a new pipe; its reader ends with the last writer */
function pipeTo(out: number, path: string): number {
  spawnSync('mkfifo', [path]);
  spawn('cat', [path], { stdio: ['ignore', out, 'ignore'] });
  return openSync(path, 'w');
}

async function answering(child: ChildProcess, url: string, output: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (child.exitCode === null && performance.now() < deadline) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer !== undefined) {
      await answer.body?.cancel();
      return;
    }
    await sleep(2);
  }
  throw new Error(`A server is not ready: ${await readFile(output, 'utf8')}`);
}

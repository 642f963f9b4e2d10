import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly pid: number;
  /** Returns the last 16 KiB of standard output and standard error, for messages. */
  readonly tail: () => string;
  readonly hasEnded: () => boolean;
  /**
   * Resolves with the exit status when the process has ended and its output is complete, or with 1 if a signal ended
   * the process. Does not wait for processes that outlive it and write to the same output.
   */
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /**
   * Sends the signal and, after 15 s, SIGKILL. Waits until the process has ended. Callers may call this
   * method more than once.
   */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Number of characters to keep. The number is high, because a Go panic prints its reason before a stack of 8
 * KiB.
 */
const TAIL = 16 * 1024;

/** How long to wait for the rest of the output after a process has exited; enough even on a busy machine. */
const OUTPUT_MS = 5_000;

/*
 * A Node process that is killed cannot end its children, and Node does not offer Linux's parent-death signal.
 * Therefore, a shell reads a pipe whose other end only this process holds. The pipe closes when this process
 * ends for any reason, and the shell then signals the child. `exec` keeps the child's process id. A line on
 * the pipe tells the shell that the child ended first. The shell also turns off core dumps, which would
 * contain keys and plaintext.
 */
const dieWithParent = 'ulimit -c 0; (read -r _ <&3 || kill -TERM $$) >/dev/null 2>&1 & exec "$@" 3<&-';

interface SpawnOptions {
  readonly cwd?: string | undefined;
  /** The whole environment of the process. */
  readonly env: NodeJS.ProcessEnv;
  readonly output: 'pipe' | 'inherit';
  /** Whether the process leads a process group, so that Ctrl-C does not reach it. */
  readonly detached: boolean;
}

/**
 * Spawns `file` as a process that receives SIGTERM when this process ends, even if SIGKILL ends this process.
 */
export function spawnLinked(
  file: string,
  args: readonly string[],
  { output, ...options }: SpawnOptions,
): ChildProcess {
  const stdio = ['ignore', output, output, 'pipe'] as const;
  const child = spawn('/bin/sh', ['-c', dieWithParent, 'sh', file, ...args], {
    ...options,
    stdio: [...stdio],
  });
  const lifeline = child.stdio[3];
  child.once('exit', () => {
    if (lifeline && 'write' in lifeline) lifeline.on('error', () => undefined).end('ended\n');
  });
  return child;
}

/**
 * Starts `file` as a process that ends when this process ends, even if SIGKILL ends this process.
 *
 * @param env the whole environment of the process
 * @param output `inherit` shows the output in the terminal; `tail` keeps the last 16 KiB
 */
export async function startChild(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: 'tail' | 'inherit' = 'tail',
): Promise<Child> {
  // Ctrl-C does not reach the child, because this process decides when to signal the child.
  const child = spawnLinked(file, args, {
    env,
    output: output === 'inherit' ? 'inherit' : 'pipe',
    detached: true,
  });
  await once(child, 'spawn');
  let tail = '';
  for (const source of [child.stdout, child.stderr]) {
    source?.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-TAIL)));
  }
  const closed = once(child, 'close');
  const exited = once(child, 'exit').then(async ([status]: (number | null)[]) => {
    await Promise.race([closed, sleep(OUTPUT_MS, undefined, { ref: false })]);
    return status ?? 1;
  });
  return {
    pid: child.pid ?? 0,
    tail: () => tail.trim(),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    exited,
    signal: (signal) => void child.kill(signal),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const last = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await exited;
      clearTimeout(last);
    },
  };
}

/** Returns whether a URL responds with the given status, by default with any 2xx status. */
export const answers = (url: string, status?: number): Promise<boolean> =>
  fetch(url).then(
    (response) => (status === undefined ? response.ok : response.status === status),
    () => false,
  );

/**
 * Waits until a server is ready.
 *
 * @param close called if the server is not ready within 90 s
 * @throws Error with the end of the server's output
 */
export async function untilReady(
  name: string,
  server: Child,
  isReady: () => Promise<boolean>,
  close: () => Promise<void>,
): Promise<void> {
  const deadline = Date.now() + 90_000;
  // Another process may answer on this port, so the condition also requires that the server is running.
  while (!(await isReady()) || server.hasEnded()) {
    if (server.hasEnded() || Date.now() > deadline) {
      await close();
      throw new Error(`${name} did not start. ${server.tail()}`);
    }
    await sleep(50);
  }
}

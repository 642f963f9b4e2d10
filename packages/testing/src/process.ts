import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { spawnLinked } from '@temporal-kms/scripts/child';

/** A Node process whose output is collected. */
export interface NodeProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Returns standard output and standard error so far, in order of arrival. */
  output(): string;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit status, or with the signal that ended the process, once its output is complete. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  isRunning(): boolean;
  /** Sends SIGKILL and waits until the process has ended. */
  kill(): Promise<void>;
}

export interface NodeProcessOptions {
  readonly args?: readonly string[];
  /** Command-line options for Node itself. */
  readonly nodeOptions?: readonly string[];
  readonly cwd?: string;
  /**
   * Environment variables in addition to `PATH` and the variable for Node's compile cache. The process
   * inherits no other variables.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts a file with the Node executable of this process. The caller must end the new process. The new
 * process also ends when this process ends, even if SIGKILL ended this process.
 */
export function startNode(file: string, options: NodeProcessOptions = {}): NodeProcess {
  const { args = [], nodeOptions = [], cwd, env } = options;
  const child = spawnLinked(process.execPath, [...nodeOptions, file, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...env },
    output: 'pipe',
    detached: false,
  });
  const texts = { all: '', stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
      texts.all += text;
    });
  }
  const ended = once(child, 'close').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? null,
  );
  return {
    child,
    pid: child.pid ?? 0,
    output: () => texts.all,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Starts a file as `startNode` does, and waits until the process has ended. */
export async function runNode(
  file: string,
  options: NodeProcessOptions = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const running = startNode(file, options);
  const code = await running.ended;
  return { code: Number(code), stdout: running.stdout(), stderr: running.stderr() };
}

/** Returns whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

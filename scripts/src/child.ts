import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export interface Child {
  readonly pid: number;
  /** The last kilobytes of standard error and output, for messages. */
  readonly tail: () => string;
  readonly hasEnded: () => boolean;
  /** Resolves when the process has ended, with its status; 1 if a signal ended it. */
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** Ends the process (SIGKILL after 15 s) and waits for it. Idempotent. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Characters: a panic of Go's says why before a stack of 8 KiB. */
const TAIL = 16 * 1024;

/*
 * A killed Node process can't end its children, and Linux's parent-death signal is out of Node's reach. So a shell
 * watches a pipe whose other end only we hold: it closes however we die. `exec` keeps the child's own process id.
 * A line on the pipe means that the child ended first. It also turns off core dumps, which would hold keys and plaintext.
 */
const dieWithParent = 'ulimit -c 0; (read -r _ <&3 || kill -TERM $$) >/dev/null 2>&1 & exec "$@" 3<&-';

/** Starts `file` so that it ends when this process does, SIGKILL included. `env` replaces the environment; `inherit` shows its output. */
export async function startChild(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: 'tail' | 'inherit' = 'tail',
): Promise<Child> {
  const stream = output === 'inherit' ? 'inherit' : 'pipe';
  const child: ChildProcess = spawn('/bin/sh', ['-c', dieWithParent, 'sh', file, ...args], {
    env,
    stdio: ['ignore', stream, stream, 'pipe'],
    // In a process group of its own, so that Ctrl-C reaches it through us alone: once, and when we find it right.
    detached: true,
  });
  await once(child, 'spawn');
  let tail = '';
  for (const source of [child.stdout, child.stderr]) {
    source?.setEncoding('utf8').on('data', (text: string) => (tail = (tail + text).slice(-TAIL)));
  }
  const lifeline = child.stdio[3];
  const exited = (async () => {
    const [status]: (number | null)[] = await once(child, 'exit');
    if (lifeline && 'write' in lifeline) lifeline.on('error', () => undefined).end('ended\n');
    return status ?? 1;
  })();
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

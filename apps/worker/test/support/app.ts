import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { vi } from 'vitest';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..');

export interface App {
  readonly pid: number;
  /** Standard output and standard error so far. */
  output(): string;
  /** The log's messages so far. */
  messages(): string[];
  /** What `/readyz` answers, `undefined` while nobody does. */
  readyz(): Promise<Readiness | undefined>;
  untilReady(timeoutMs?: number): Promise<Readiness>;
  signal(name: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly running: boolean;
  kill(): Promise<void>;
}

const readiness = z.object({
  status: z.string(),
  worker: z.object({ phase: z.string(), restarts: z.number(), trouble: z.string().optional() }),
  kms: z.object({ emulator: z.boolean() }),
});
const logLine = z.object({ msg: z.string(), port: z.number().optional() });

type Readiness = z.infer<typeof readiness> & { readonly http: number };

/** A clean environment: nothing that this machine's own TEMPORAL_* or GCP_* say reaches the child. */
const baseEnvironment = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  TEMPORAL_CONFIG_FILE: '/nonexistent/temporal.toml',
};

function start(file: string, args: readonly string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [file, ...args], {
    cwd: root,
    env: { ...baseEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The worker as it is deployed: a process of its own, configured by its environment. */
export function startApp(env: Record<string, string>, file = 'src/main.ts'): App {
  const child = start(file, [], { WORKER_HEALTH_PORT: '0', ...env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  const entries = () =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => logLine.parse(JSON.parse(line)));
  const readyz = async (): Promise<Readiness | undefined> => {
    const port = entries().find(({ msg }) => msg === 'Health endpoints listening')?.port;
    if (port === undefined) return undefined;
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return response && { http: response.status, ...readiness.parse(await response.json()) };
  };
  return {
    pid: child.pid ?? 0,
    output: () => output,
    messages: () => entries().map(({ msg }) => msg),
    readyz,
    untilReady: (timeout = 60_000) =>
      vi.waitFor(
        async () => {
          const answer = await readyz();
          if (answer?.http !== 200) throw new Error(`Not ready: ${JSON.stringify(answer)}\n${output}`);
          return answer;
        },
        { timeout, interval: 100 },
      ),
    signal: (name) => void child.kill(name),
    ended,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** One call of the starter's command line. */
export const runStarter = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  runToItsEnd('src/start.ts', args, env);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runToItsEnd(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const child = start(file, args, env);
  const texts = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const [code] = await once(child, 'close');
  return { code: Number(code), ...texts };
}

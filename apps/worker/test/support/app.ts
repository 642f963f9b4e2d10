import { join } from 'node:path';
import { builtOncePerRun } from '@temporal-kms/scripts/once-per-run';
import { type NodeProcess, runNode, startNode } from '@temporal-kms/testing/process';
import { vi } from 'vitest';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..');

/** The built worker, whose workflow code is compiled, so that each process starts much faster. */
export const built = await builtOncePerRun('worker');

export interface App extends NodeProcess {
  /** Returns the log's messages so far. */
  messages(): string[];
  /** Returns the response of `/readyz`, or `undefined` while no server listens. */
  readyz(): Promise<Readiness | undefined>;
  untilReady(timeoutMs?: number): Promise<Readiness>;
  signal(name: NodeJS.Signals): void;
}

const readiness = z.object({
  status: z.string(),
  worker: z.object({
    phase: z.string(),
    restarts: z.number(),
    trouble: z.string().optional(),
    polling: z.boolean().optional(),
  }),
  temporal: z.object({ reachable: z.boolean().nullable() }),
  kms: z.object({
    emulator: z.boolean(),
    autonomySeconds: z.number().nullable(),
    failure: z.string().optional(),
  }),
});
const logLine = z.object({ message: z.string(), port: z.number().optional() });

type Readiness = z.infer<typeof readiness> & { readonly http: number };

const optionsWith = (env: Record<string, string>) => ({
  cwd: root,
  // The user's profile file must not apply.
  env: { HOME: '/nonexistent', ...env },
});

/**
 * Starts the worker as a process with this environment. By default, starts the built worker; with
 * `src/main.ts`, starts the worker from its sources.
 */
export function startApp(env: Record<string, string>, file = join(built, 'main.mjs')): App {
  const running = startNode(file, optionsWith({ WORKER_HEALTH_PORT: '0', ...env }));
  const entries = () =>
    running
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => logLine.parse(JSON.parse(line)));
  const readyz = async (): Promise<Readiness | undefined> => {
    const port = entries().find(({ message }) => message === 'Health endpoints listening')?.port;
    if (port === undefined) return undefined;
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return response && { http: response.status, ...readiness.parse(await response.json()) };
  };
  return {
    ...running,
    messages: () => entries().map(({ message }) => message),
    readyz,
    untilReady: (timeout = 120_000) =>
      vi.waitFor(
        async () => {
          const answer = await readyz();
          if (answer?.http !== 200) {
            throw new Error(`The worker is not ready: ${JSON.stringify(answer)}\n${running.output()}`);
          }
          return answer;
        },
        { timeout, interval: 100 },
      ),
    signal: (name) => void running.child.kill(name),
  };
}

/** Runs the worker's command line until it ends. */
export const runWorker = (args: readonly string[], env: Record<string, string> = {}) =>
  runNode(join(built, 'main.mjs'), { ...optionsWith(env), args });

/** Runs the starter's command line until it ends. */
export const runStarter = (args: readonly string[], env: Record<string, string> = {}) =>
  runNode(join(built, 'start.mjs'), { ...optionsWith(env), args });

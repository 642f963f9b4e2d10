import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type Child } from '../child.ts';
import { freePorts } from '../ports.ts';
import { projectRoot } from '../project.ts';

export { devEnvironment } from './environment.ts';
export { devPorts } from './ports.ts';

export interface RunningDev {
  /** The line that says that everything is ready, with the addresses. */
  readonly readyLine: string;
  /** From the start to that line. */
  readonly seconds: number;
  /** What Ctrl-C does; waits for the end. */
  stop(): Promise<void>;
}

/** What the line of the task `dev:ready` begins with. */
export const readyWord = 'Everything is ready.';

/**
 * Starts `dev`; it ends with this process.
 *
 * @param env what is exported to it beside this process's own environment: ports (`ownPorts()`), `DEV_DATA_DIR`
 */
export function spawnDev(env: Readonly<Record<string, string>>): Promise<Child> {
  const script = join(projectRoot, 'scripts', 'src', 'dev.ts');
  return startChild(process.execPath, [script], { ...process.env, ...env });
}

/**
 * `spawnDev` that waits for the ready line.
 *
 * @throws Error with its last output when it ends, or isn't ready within two minutes.
 */
export async function startDev(env: Readonly<Record<string, string>>): Promise<RunningDev> {
  const started = performance.now();
  const dev = await spawnDev(env);
  while (!dev.hasEnded() && performance.now() - started < 120_000) {
    const readyLine = dev
      .tail()
      .split('\n')
      .find((line) => line.includes(readyWord));
    if (readyLine) {
      const seconds = (performance.now() - started) / 1_000;
      return { readyLine, seconds, stop: () => dev.stop('SIGINT') };
    }
    await sleep(50);
  }
  const fault = dev.hasEnded() ? 'ended' : 'was not ready within two minutes';
  await dev.stop('SIGINT');
  throw new Error(`dev ${fault}. Its last output:\n${dev.tail()}`);
}

/** Free ports for everything in `dev`, by their variables. */
export async function ownPorts(): Promise<Record<string, string>> {
  const names = ['TEMPORAL', 'TEMPORAL_UI', 'KMS', 'KMS_CONTROL', 'CODEC', 'WORKER', 'UI'];
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, index) => [`DEV_${name}_PORT`, String(ports[index])]));
}

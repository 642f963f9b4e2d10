import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, type Child } from '../child.ts';
import { freePorts } from '../ports.ts';
import { projectRoot } from '../project.ts';

export { devEnvironment, devPorts } from './environment.ts';

export interface RunningDev {
  /** The line that the task `dev:ready` prints when everything is ready. It contains the addresses. */
  readonly readyLine: string;
  /** Seconds from the start to the ready line. */
  readonly seconds: number;
  /** Sends SIGINT and waits until the process has ended. */
  stop(): Promise<void>;
}

/** The beginning of the ready line. */
export const readyWord = 'Everything is ready.';

/**
 * Starts `pnpm dev`'s process, which ends when this process ends.
 *
 * @param env variables in addition to this process's environment: ports (`ownPorts()`), `DEV_DATA_DIR`
 */
export function spawnDev(env: Readonly<Record<string, string>>): Promise<Child> {
  const script = join(projectRoot, 'scripts', 'src', 'dev.ts');
  return startChild(process.execPath, [script], { ...process.env, ...env });
}

/**
 * Starts `pnpm dev`'s process as `spawnDev` does and waits for the ready line.
 *
 * @throws Error with the last output if the process ends or is not ready within four minutes
 */
export async function startDev(env: Readonly<Record<string, string>>): Promise<RunningDev> {
  const started = performance.now();
  const dev = await spawnDev(env);
  while (!dev.hasEnded() && performance.now() - started < 240_000) {
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
  const fault = dev.hasEnded() ? 'ended' : 'was not ready within four minutes';
  await dev.stop('SIGINT');
  throw new Error(`\`pnpm dev\` ${fault}. Its last output:\n${dev.tail()}`);
}

/** Returns free ports for every part of `pnpm dev`, by their variables. */
export async function ownPorts(): Promise<Record<string, string>> {
  const names = ['TEMPORAL', 'TEMPORAL_UI', 'KMS', 'KMS_CONTROL', 'CODEC', 'WORKER', 'UI', 'SIGN_IN'];
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, index) => [`DEV_${name}_PORT`, String(ports[index])]));
}

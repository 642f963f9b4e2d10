import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { built } from './built.ts';
import { keepChunks, RUN_FOLDER } from './leak-search.ts';

/** The main module in the sources. */
export const source = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Arguments that make Node record a server's responses, which are searched for secrets after the run. */
export const keepAnswers = ['--import', fileURLToPath(new URL('keep-answers.ts', import.meta.url))] as const;

export interface ServerProcess {
  readonly child: ChildProcess;
  /** The output so far. */
  readonly output: { out: string; err: string };
  readonly url: string;
  /** The URL of the metrics, or undefined if CODEC_METRICS_PORT is not set. */
  readonly metricsUrl: string | undefined;
  /** Sends SIGTERM. @returns the exit code */
  readonly stop: () => Promise<number | null>;
  /** Sends SIGKILL. */
  readonly kill: () => Promise<unknown>;
}

const keyVariables = { GCP_PROJECT: 'test', GCP_KMS_KEY_RING: 'temporal-keys', GCP_KMS_KEY: 'payments' };

/**
 * Starts the server in a separate process. The server's output and responses are searched for secrets after
 * the run.
 * @param args arguments for Node
 * @param file the main module; by default, that of the bundle, which starts faster than the sources
 */
export function spawnServer(
  env: Record<string, string>,
  args: readonly string[] = keepAnswers,
  file = join(built, 'main.mjs'),
) {
  const child = spawn(process.execPath, [...args, file], {
    env: {
      PATH: process.env['PATH'],
      // This folder is deleted after the run, because later runs build the bundle at a different path.
      NODE_COMPILE_CACHE: `${built}-compile-cache`,
      [RUN_FOLDER]: process.env[RUN_FOLDER],
      CODEC_PORT: '0',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      ...keyVariables,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output = { out: '', err: '' };
  for (const [name, stream] of [['out', child.stdout] as const, ['err', child.stderr] as const]) {
    const keep = keepChunks();
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      keep(text);
    });
  }
  const exited = once(child, 'close').then((): number | null => child.exitCode);
  return { child, output, exited };
}

/**
 * Waits until a server listens. @returns the log entry that states the server's addresses
 * @throws Error with the output if the server ends first
 */
export async function untilListening({
  output,
  exited,
}: {
  readonly output: Readonly<Record<'out' | 'err', string>>;
  readonly exited: Promise<unknown>;
}): Promise<{ readonly url: string; readonly metrics?: string }> {
  let hasEnded = false;
  void exited.then(() => (hasEnded = true));
  // The output may end in the middle of a line.
  const listening = /^.*"message":"listening".*\n/m;
  while (!listening.test(output.out)) {
    if (hasEnded) throw new Error(`The server has ended: ${output.err}${output.out}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return JSON.parse(listening.exec(output.out)![0]);
}

/** Starts the server and resolves once it listens. */
export async function startServer(
  env: Record<string, string>,
  args?: readonly string[],
  file?: string,
): Promise<ServerProcess> {
  const { child, output, exited } = spawnServer(env, args, file);
  const { url, metrics } = await untilListening({ output, exited });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    // Requests the metrics, so that the search for secrets after the run includes them.
    const isRunning = child.exitCode === null && child.signalCode === null;
    if (metrics !== undefined && isRunning) await (await fetch(metrics)).text();
    child.kill(signal);
    // Resumes the output, because a stream that is not read never closes.
    child.stdout?.resume();
    return exited;
  };
  return { child, output, url, metricsUrl: metrics, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

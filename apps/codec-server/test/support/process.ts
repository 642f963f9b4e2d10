import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { keepChunks, RUN_FOLDER } from './leak-search.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
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
 * Starts the server from source in a separate process. The server's output and responses are searched for
 * secrets after the run.
 * @param args arguments for Node
 */
export function spawnServer(env: Record<string, string>, args: readonly string[] = keepAnswers) {
  const child = spawn(process.execPath, [...args, main], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
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

/** Starts the server and resolves once it listens. */
export async function startServer(
  env: Record<string, string>,
  args?: readonly string[],
): Promise<ServerProcess> {
  const { child, output, exited } = spawnServer(env, args);
  let code: number | null | undefined;
  void exited.then((value) => (code = value));
  const listening = /^.*"message":"listening".*$/m;
  while (!listening.test(output.out)) {
    if (code !== undefined) throw new Error(`The server exited with ${code}: ${output.err}${output.out}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const line = JSON.parse(listening.exec(output.out)![0]);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    // Requests the metrics, so that the search for secrets after the run includes them.
    if (line.metrics !== undefined && code === undefined) await (await fetch(line.metrics)).text();
    child.kill(signal);
    // Resumes the output, because a stream that is not read never closes.
    child.stdout?.resume();
    return exited;
  };
  return {
    child,
    output,
    url: line.url,
    metricsUrl: line.metrics,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { keepPieces, RUN_FOLDER } from './leak-search.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** For a server's command line: its answers are searched after the run. */
export const keepAnswers = ['--import', fileURLToPath(new URL('keep-answers.ts', import.meta.url))] as const;

export interface ServerProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What it has printed until now. */
  readonly output: { out: string; err: string };
  readonly url: string;
  /** Absent without CODEC_METRICS_PORT. */
  readonly metricsUrl: string | undefined;
  /** Sends SIGTERM. @returns its status */
  readonly stop: () => Promise<number | null>;
  /** Sends SIGKILL. */
  readonly kill: () => Promise<unknown>;
}

const keyVariables = { GCP_PROJECT: 'test', GCP_KMS_KEY_RING: 'temporal-keys', GCP_KMS_KEY: 'payments' };

/**
 * The server as a process of its own, from its source; what it prints and answers is searched after the run.
 * @param args for Node
 */
export function spawnServer(env: Record<string, string>, args: readonly string[] = keepAnswers) {
  const child = spawn(process.execPath, [...args, main], {
    env: {
      PATH: process.env['PATH'],
      [RUN_FOLDER]: process.env[RUN_FOLDER],
      CODEC_PORT: '0',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      ...keyVariables,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { out: '', err: '' };
  for (const [name, stream] of [['out', child.stdout] as const, ['err', child.stderr] as const]) {
    const keep = keepPieces();
    stream.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      keep(text);
    });
  }
  const exited = once(child, 'close').then((): number | null => child.exitCode);
  return { child, output, exited };
}

/** Resolves once it serves. */
export async function startServer(
  env: Record<string, string>,
  args?: readonly string[],
): Promise<ServerProcess> {
  const { child, output, exited } = spawnServer(env, args);
  let code: number | null | undefined;
  void exited.then((value) => (code = value));
  const listening = /^.*"msg":"listening".*$/m;
  while (!listening.test(output.out)) {
    if (code !== undefined) throw new Error(`ended with ${code}: ${output.err}${output.out}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const line = JSON.parse(listening.exec(output.out)![0]);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    // Its metrics are searched as every answer is, once they have been asked for.
    if (line.metrics !== undefined && code === undefined) await (await fetch(line.metrics)).text();
    child.kill(signal);
    // What nobody reads would never close.
    child.stdout.resume();
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

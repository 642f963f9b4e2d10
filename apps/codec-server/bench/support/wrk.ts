import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Load {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
  /** Number of connections. Default: 64. */
  readonly connections?: number;
  /** Whether the server may refuse some of the requests. By default, every response must be 200. */
  readonly refused?: boolean;
}

/** @throws Error with installation instructions unless wrk is installed */
export async function requireWrk(): Promise<void> {
  const { failed, exitCode } = await execa('wrk', ['-v'], { reject: false });
  if (failed && exitCode === undefined)
    throw new Error('The benchmark needs wrk; install it (Debian: apt-get install wrk).');
}

/**
 * Posts the body repeatedly over several connections, and returns the number of responses.
 * @throws Error if a response has a status other than 200 and `refused` is not set, because fast
 * rejections would distort the result
 */
export async function load(
  directory: string,
  { url, body, headers, seconds, connections = 64, refused = false }: Load,
): Promise<number> {
  const bodyFile = join(directory, 'body.json');
  const script = join(directory, 'load.lua');
  const lines = Object.entries({ 'Content-Type': 'application/json', ...headers }).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  await Promise.all([
    writeFile(bodyFile, body),
    writeFile(
      script,
      `wrk.method = "POST"\nwrk.body = io.open(${JSON.stringify(bodyFile)}, "rb"):read("*a")\n${lines.join('\n')}\n` +
        'function done(summary) local e = summary.errors ' +
        'print(string.format("COUNTED %d %d", summary.requests, e.status + e.connect + e.read + e.write + e.timeout)) end\n',
    ),
  ]);
  const { stdout } = await execa('wrk', [
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    '--timeout=60s',
    `--script=${script}`,
    url,
  ]);
  const [, requests, errors] = /COUNTED (\d+) (\d+)/.exec(stdout) ?? [];
  if (requests === undefined || (Number(errors) > 0 && !refused))
    throw new Error(`Some requests failed:\n${stdout}`);
  return Number(requests);
}

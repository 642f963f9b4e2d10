import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Load {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly seconds: number;
}

const CONNECTIONS = 64;

/** @throws Error that says how to get wrk */
export async function requireWrk(): Promise<void> {
  const { failed, exitCode } = await execa('wrk', ['-v'], { reject: false });
  if (failed && exitCode === undefined)
    throw new Error('wrk makes the load: install it (Debian: apt-get install wrk).');
}

/**
 * Posts the body over and over again and counts the answers.
 * @returns answers with status 200 that came
 * @throws Error on any other answer: a server that refuses is fast
 */
export async function load(directory: string, { url, body, headers, seconds }: Load): Promise<number> {
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
    `--connections=${CONNECTIONS}`,
    `--duration=${seconds}s`,
    '--timeout=60s',
    `--script=${script}`,
    url,
  ]);
  const [, requests, errors] = /COUNTED (\d+) (\d+)/.exec(stdout) ?? [];
  if (requests === undefined || Number(errors) > 0)
    throw new Error(`The load did not go through:\n${stdout}`);
  return Number(requests);
}

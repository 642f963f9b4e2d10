import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaksInRun, RUN_FOLDER } from './leak-search.ts';

/** Keeps what the servers of all tests log, at the lowest level, and fails the run if a secret is in it. */
export default async function keepRun(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'codec-run-'));
  process.env[RUN_FOLDER] = folder;
  return async () => {
    const [logs, keys] = await Promise.all([textsOf(join(folder, 'logs')), textsOf(join(folder, 'keys'))]);
    await rm(folder, { recursive: true });
    const bytes = [...new Set(keys.split('\n'))]
      .filter((hex) => hex !== '')
      .map((hex) => Buffer.from(hex, 'hex'));
    const leaks = leaksInRun(logs, bytes);
    if (leaks.length > 0) throw new Error(`The servers' logs of this run hold secrets: ${leaks.join(', ')}`);
    process.stdout.write(
      `No canary, token or data key (${bytes.length}) in ${logs.length} characters of the run's server logs.\n`,
    );
  };
}

async function textsOf(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.join('');
}

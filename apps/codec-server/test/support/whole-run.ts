import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kept, OVERLAP, RUN_FOLDER, searchForSecrets } from './leak-search.ts';

/** Keeps what the servers of all tests log, measure and answer, and fails the run if a secret is in it. */
export default async function keepRun(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'codec-run-'));
  process.env[RUN_FOLDER] = folder;
  return async () => {
    try {
      process.stdout.write(await searched(folder));
    } finally {
      await rm(folder, { recursive: true });
    }
  };
}

async function searched(folder: string): Promise<string> {
  const names = (await readdir(folder)).map((name) => join(folder, name));
  const of = (kind: Kept | 'keys') => names.filter((name) => name.includes(`/${kind}-`));
  const lines = await Promise.all(of('keys').map((name) => readFile(name, 'utf8')));
  const keys = [...new Set(lines.join('').split('\n'))].filter((hex) => hex !== '');
  const search = searchForSecrets(keys.map((hex) => Buffer.from(hex, 'hex')));
  const leaks = new Map<string, string>();
  const bytes = { sealed: 0, opened: 0 };
  for (const kind of ['sealed', 'opened'] as const) {
    for (const name of of(kind)) {
      let end = '';
      for await (const piece of createReadStream(name, { encoding: 'latin1', highWaterMark: 2 ** 20 })) {
        const text = end + piece;
        for (const leak of search(text, kind)) {
          const at = text.indexOf(leak);
          if (!leaks.has(leak)) leaks.set(leak, text.slice(Math.max(0, at - OVERLAP), at + leak.length));
        }
        end = text.slice(-OVERLAP);
        bytes[kind] += piece.length;
      }
    }
  }
  if (leaks.size > 0) {
    throw new Error(`The servers of this run let secrets out:\n${[...leaks.values()].join('\n')}`);
  }
  // Where nothing may be left out, nothing was kept would mean that nothing was looked at.
  if (process.env['CI'] !== undefined && (keys.length === 0 || bytes.sealed === 0 || bytes.opened === 0)) {
    throw new Error('The search for secrets had no data key, or nothing to look through.');
  }
  const sizes = `${bytes.sealed} bytes of the run's logs, metrics and answers, and no token or data key in ${bytes.opened} of answers with plaintext`;
  return `No canary, token or data key (${keys.length}) in ${sizes}.\n`;
}

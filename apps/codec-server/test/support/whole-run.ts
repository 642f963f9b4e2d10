import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kept, OVERLAP, RUN_FOLDER, searchForSecrets } from './leak-search.ts';

/** Records the logs, metrics and responses of all servers in a run, and fails the run if they contain a secret. */
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
  const bytes = { withoutPlaintext: 0, withPlaintext: 0 };
  for (const kind of ['withoutPlaintext', 'withPlaintext'] as const) {
    for (const name of of(kind)) {
      let end = '';
      for await (const chunk of createReadStream(name, { encoding: 'latin1', highWaterMark: 2 ** 20 })) {
        const text = end + chunk;
        for (const leak of search(text, kind)) {
          const at = text.indexOf(leak);
          if (!leaks.has(leak)) leaks.set(leak, text.slice(Math.max(0, at - OVERLAP), at + leak.length));
        }
        end = text.slice(-OVERLAP);
        bytes[kind] += chunk.length;
      }
    }
  }
  if (leaks.size > 0) {
    throw new Error(`The output of the servers contains secrets:\n${[...leaks.values()].join('\n')}`);
  }
  // In CI, the whole suite runs, unless a long test runs alone. If the suite recorded nothing, the recording
  // is broken.
  if (
    process.env['CI'] !== undefined &&
    process.env['SLOW'] === undefined &&
    (keys.length === 0 || bytes.withoutPlaintext === 0 || bytes.withPlaintext === 0)
  ) {
    throw new Error('The search for secrets had no data keys or no recorded output.');
  }
  const sizes = `${bytes.withoutPlaintext} bytes of logs, metrics and responses, and no token or data key in ${bytes.withPlaintext} bytes of responses with plaintext`;
  return `Search for secrets: no canary, token or data key (of ${keys.length}) in ${sizes}.\n`;
}

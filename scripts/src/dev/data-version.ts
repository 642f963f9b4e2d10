import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Increase this number with every change that makes earlier data unreadable, such as a change to a wire
 * format.
 */
const DATA_VERSION = '2';

/**
 * Temporal's database file, which contains the payloads, in the folder that `pnpm dev` keeps between runs.
 */
export const DATABASE = 'temporal.db';

/**
 * Writes the data version into a folder that has no database yet.
 * @throws Error if the folder's database has another data version
 */
export async function requireDataVersion(folder: string): Promise<void> {
  const marker = join(folder, 'data-version');
  if (!existsSync(join(folder, DATABASE))) return await writeFile(marker, `${DATA_VERSION}\n`);
  const version = await readFile(marker, 'utf8').catch(() => '');
  if (version.trim() === DATA_VERSION) return;
  throw new Error(
    `${folder} contains data from another version of this repository. This version cannot read its payloads. ` +
      `Delete the folder, or set DEV_DATA_DIR to another folder:\n  rm -r '${folder}'`,
  );
}

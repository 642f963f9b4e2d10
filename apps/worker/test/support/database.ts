import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Temporal's database as it lies on the disk: the file and whatever SQLite keeps beside it, by name. */
export async function databaseFiles(dbFile: string): Promise<Map<string, Buffer>> {
  const dir = dirname(dbFile);
  const names = (await readdir(dir)).filter((name) => name.startsWith(basename(dbFile)));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name))] as const)),
  );
}

/**
 * From the next start on the database has a write-ahead log, as Temporal's own servers have; the development server
 * keeps the mode that it finds. The server must not be running.
 */
export function useWriteAheadLog(dbFile: string): void {
  const database = new DatabaseSync(dbFile);
  database.exec('PRAGMA journal_mode = wal');
  database.close();
}

/** Every cell of every table. SQLite spreads long values over pages that needn't be neighbours; here they are whole. */
export function databaseCells(dbFile: string): Buffer {
  const database = new DatabaseSync(dbFile, { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const cells = tables.flatMap(({ name }) => {
      const rows = database.prepare(`SELECT * FROM "${String(name)}"`).all();
      return rows.flatMap((row) => Object.values(row));
    });
    return Buffer.concat(
      cells.map((cell) => (cell instanceof Uint8Array ? cell : Buffer.from(String(cell)))),
    );
  } finally {
    database.close();
  }
}

import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Reads the files of Temporal's database, by name: the database itself and SQLite's additional files. */
export async function databaseFiles(dbFile: string): Promise<Map<string, Buffer>> {
  const dir = dirname(dbFile);
  const names = (await readdir(dir)).filter((name) => name.startsWith(basename(dbFile)));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name))] as const)),
  );
}

/**
 * Turns on the database's write-ahead log, which the server later leaves on. The server must not be running.
 */
export function useWriteAheadLog(dbFile: string): void {
  const database = new DatabaseSync(dbFile);
  database.exec('PRAGMA journal_mode = wal');
  database.close();
}

/** Reads every cell of every table, because SQLite splits long values across distant pages of the file. */
export function databaseCells(dbFile: string): Buffer {
  const database = new DatabaseSync(dbFile, { readOnly: true, timeout: 10_000 });
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

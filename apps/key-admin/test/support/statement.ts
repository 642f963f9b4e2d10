import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Statement } from '../../src/destroy/statement.ts';
import { temporaryFolder } from './cli.ts';

/** Writes a statement to a file that exists until the test ends, and returns its path. */
export async function statementFile(statement: Statement): Promise<string> {
  const path = join(await temporaryFolder(), 'statement.yaml');
  await writeFile(path, `${JSON.stringify(statement)}\n...\n`, { mode: 0o600 });
  return path;
}

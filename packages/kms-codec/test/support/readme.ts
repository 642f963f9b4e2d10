import { readFileSync } from 'node:fs';
import { codeBlocks, tableRows } from '@temporal-kms/testing/markdown';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The README's files by their names: every code block that has a title. */
export const readmeFiles: ReadonlyMap<string, string> = new Map(
  codeBlocks(readme).flatMap(({ info, code }) => {
    const title = /title="([^"]+)"/.exec(info)?.[1];
    return title === undefined ? [] : [[title, code] as const];
  }),
);

/** Returns the rows of the README's table whose header begins with these cells. */
export const readmeTable = (...header: readonly string[]): string[][] => tableRows(readme, ...header);

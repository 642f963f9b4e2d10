import { readdirSync, readFileSync } from 'node:fs';
import { codeBlocks, tableRows } from '@temporal-kms/testing/markdown';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');

/** The README's files by their names: every code block that has a title, and the files of `examples/`, to which it links. */
export const readmeFiles: ReadonlyMap<string, string> = new Map([
  ...codeBlocks(readme).flatMap(({ info, code }) => {
    const title = /title="([^"]+)"/.exec(info)?.[1];
    return title === undefined ? [] : [[title, code] as const];
  }),
  ...readdirSync(new URL('../../examples', import.meta.url)).map(
    (name) => [name, read(`examples/${name}`)] as const,
  ),
]);

/** Returns the rows of the README's table whose header begins with these cells. */
export const readmeTable = (...header: readonly string[]): string[][] => tableRows(readme, ...header);

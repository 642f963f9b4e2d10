import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocks } from './markdown.ts';

export const readReadme = (packageFolder: string): string =>
  readFileSync(join(packageFolder, 'README.md'), 'utf8');

/**
 * Returns the files of a README by name. A README's files are its code blocks with a title, and the linked
 * files in `examples/`.
 */
export const filesOfReadme = (packageFolder: string): ReadonlyMap<string, string> =>
  new Map([
    ...codeBlocks(readReadme(packageFolder)).flatMap(({ info, code }) => {
      const title = /title="([^"]+)"/.exec(info)?.[1];
      return title === undefined ? [] : [[title, code] as const];
    }),
    ...readdirSync(join(packageFolder, 'examples')).map(
      (name) => [name, readFileSync(join(packageFolder, 'examples', name), 'utf8')] as const,
    ),
  ]);

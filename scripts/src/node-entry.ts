import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

/** The oldest Node version that runs the built programs, as in the repository's `engines`. */
const NEEDED = 24;

/**
 * Returns a module that loads a program or, if Node is too old, exits with status 78 (EX_CONFIG). The module
 * uses only syntax that every Node version with ES modules can read. An older Node would reject the program
 * itself with a SyntaxError.
 * @param program the file of the program, in the same folder
 * @param needed the oldest major version of Node; only tests set it
 */
export const nodeEntry = (
  program: string,
  needed: number = NEEDED,
): string => `#!/usr/bin/env -S node --disable-sigusr1 --
var found = process.versions.node;
if (parseInt(found, 10) < ${needed}) {
  console.error(
    'temporal-kms ${packageJson.version} needs Node ${needed} or later. This is Node ' + found + ', ' + process.execPath +
      '. Install Node ${needed}, or start the program with it.'
  );
  process.exit(78);
}
import('./${program}');
`;

/** Writes the entry point of a program, `NAME.mjs`, into the folder that contains the built program. */
export const writeNodeEntry = (folder: string, name: string, program: string): Promise<void> =>
  writeFile(join(folder, `${name}.mjs`), nodeEntry(program), { mode: 0o755 });

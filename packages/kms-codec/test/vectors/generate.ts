/** Writes the vector files beside it: `node test/vectors/generate.ts`. Every byte is fixed, so a second run changes nothing. */
import { writeFileSync } from 'node:fs';
import { generated } from './cases/index.ts';

for (const [name, file] of Object.entries(generated)) {
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(file, undefined, 2)}\n`);
}

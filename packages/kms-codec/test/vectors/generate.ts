/**
 * Writes the generated files of this folder and the JSON Schema of the keys file: `node test/vectors/generate.ts`. Every
 * byte is fixed, so a second run changes nothing.
 */
import { writeFileSync } from 'node:fs';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { keysFileJsonSchema } from '../../src/config/keys-file.ts';
import { generated } from './cases/index.ts';

const write = (name: string, text: string) => writeFileSync(new URL(name, import.meta.url), text);
for (const [name, file] of Object.entries(generated)) write(name, recordLines(file));
write('../../keys-file.schema.json', `${JSON.stringify(keysFileJsonSchema(), undefined, 2)}\n`);

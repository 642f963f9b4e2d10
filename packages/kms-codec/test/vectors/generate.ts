/**
 * Writes the vector files of this folder, the class of each reason code and the JSON Schema of the keys file: `node test/vectors/generate.ts`. Every byte is
 * fixed, so a second run changes nothing.
 */
import { writeFileSync } from 'node:fs';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { keysFileJsonSchema } from '../../src/config/keys-file.ts';
import { reasonClass, reasonCodes } from '../../src/reason-codes.ts';
import { generated } from './cases/index.ts';

const write = (name: string, text: string) => writeFileSync(new URL(name, import.meta.url), text);
const classes = Object.fromEntries(reasonCodes.map((code) => [code, reasonClass(code)]));
for (const [name, file] of Object.entries({ ...generated, 'files/reason-codes.json': classes })) {
  write(name, recordLines(file));
}
write('../../keys-file.schema.json', `${JSON.stringify(keysFileJsonSchema(), undefined, 2)}\n`);

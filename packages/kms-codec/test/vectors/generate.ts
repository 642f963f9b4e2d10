/**
 * Writes the vector files of this folder, the class of each reason code and the JSON Schema of the keys file: `node test/vectors/generate.ts`. Every byte is
 * fixed, so a second run changes nothing.
 */
import { writeFileSync } from 'node:fs';
import { keysFileJsonSchema } from '../../src/config/keys-file.ts';
import { reasonClass, reasonCodes } from '../../src/reason-codes.ts';
import { generated } from './cases/index.ts';

const files = {
  ...generated,
  'files/reason-codes.json': Object.fromEntries(reasonCodes.map((code) => [code, reasonClass(code)])),
  '../../keys-file.schema.json': keysFileJsonSchema(),
};
for (const [name, file] of Object.entries(files)) {
  writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(file, undefined, 2)}\n`);
}

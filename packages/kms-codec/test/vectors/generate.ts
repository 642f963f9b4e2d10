/**
 * Writes the derived content of this folder's files, and the keys file's JSON Schema: `node
 * test/vectors/generate.ts`. The output is deterministic, so a second run changes nothing.
 *
 * To add a vector, add a line with an empty `stored.data`, and copy `kms` from a similar vector. Vectors in
 * formats other than `envelope-v2` are fixed and have no `made`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { keysFileJsonSchema } from '../../src/config/keys-file.ts';
import { hex } from './make/bytes.ts';
import { dataOf, reasonCodesFile } from './make/derived.ts';
import { vectorFile } from './make/vector.ts';

const at = (name: string) => new URL(name, import.meta.url);
for (const name of readdirSync(at('.')).filter((file) => file.endsWith('.json'))) {
  const file = JSON.parse(readFileSync(at(name), 'utf8'));
  for (const [n, vector] of vectorFile.parse(file).vectors.entries())
    if (vector.made) file.vectors[n].stored.data = hex(dataOf(vector));
  writeFileSync(at(name), recordLines(file));
}
writeFileSync(at('files/reason-codes.json'), recordLines(reasonCodesFile()));
writeFileSync(at('../../keys-file.schema.json'), `${JSON.stringify(keysFileJsonSchema(), undefined, 2)}\n`);

/**
 * Writes the derived content of the vector files, their JSON Schema, and the worked example in the
 * specification: `pnpm generate`. The output is deterministic, so a second run changes nothing.
 *
 * To add a vector, add a line with an empty `stored.data`, and copy `kms` from a similar vector. Vectors in
 * formats other than `envelope-v2` are fixed and have no `made`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { recordLines } from '@temporal-kms/testing/record-lines';
import { hex } from './src/bytes.ts';
import { dataOf } from './src/derived.ts';
import { withExample, workedExample } from './src/example.ts';
import { json, root } from './src/files.ts';
import { jsonSchema, messageFile } from './src/schema.ts';

const at = (path: string) => new URL(path, root);

const vectors = readdirSync(at('messages/')).flatMap((name) => {
  const content = messageFile.parse(json(`messages/${name}`));
  for (const vector of content.vectors) if (vector.made) vector.stored.data = hex(dataOf(vector));
  writeFileSync(at(`messages/${name}`), recordLines(content));
  return content.vectors;
});
writeFileSync(at('vectors.schema.json'), `${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
const page = at('../../docs/wire-formats.md');
writeFileSync(page, withExample(readFileSync(page, 'utf8'), workedExample(vectors)));

import { readdirSync, readFileSync } from 'node:fs';
import { branchKeyEntryFile, keysFileFile, messageFile, strictYamlFile, type VectorFile } from './schema.ts';

export { reasonCodes } from './schema.ts';

export const root = new URL('../', import.meta.url);

/** Returns the content of a JSON file of this package. */
export const json = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), 'utf8'));

/** The vectors in `messages/`, with the names of their files. */
export const messageFiles: readonly (VectorFile & { readonly file: string })[] = readdirSync(
  new URL('messages/', root),
).map((file) => ({ file, ...messageFile.parse(json(`messages/${file}`)) }));

export const { vectors: keysFileVectors } = keysFileFile.parse(json('files/keys-file.json'));

export const { vectors: strictYamlVectors } = strictYamlFile.parse(json('files/strict-yaml.json'));

export const { vectors: branchKeyEntryVectors } = branchKeyEntryFile.parse(
  json('files/branch-key-entries.json'),
);

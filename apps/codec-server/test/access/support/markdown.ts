import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { codeBlocks } from '@temporal-kms/testing/markdown';

const content = readFileSync(
  fileURLToPath(new URL('../../../../../docs/access.md', import.meta.url)),
  'utf8',
);

/** Returns the example policy of docs/access.md. */
export function examplePolicy(): string {
  const example = codeBlocks(content).find(({ info }) => info === 'yaml');
  if (example === undefined) throw new Error('docs/access.md has no YAML example.');
  return example.code;
}

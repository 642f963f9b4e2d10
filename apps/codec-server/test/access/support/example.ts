import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Returns the example policy, which docs/access.md explains. */
export const examplePolicy = (): string =>
  readFileSync(fileURLToPath(new URL('../../../policy.example.yaml', import.meta.url)), 'utf8');

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../../..');
const places = ['apps/*', 'packages/*', 'e2e', 'scripts'];
const files = globSync(
  places.map((place) => `${place}/**/*.{ts,tsx,mts,js,mjs}`),
  { cwd: repository, exclude: (path) => /(^|\/)(node_modules|dist|\.\w+)$/.test(path) },
);

/** Returns the repository's files that load a package with `import`, `require` or `resolve`. */
function importersOf(name: string): string[] {
  const specifier = new RegExp(`(from|import|require|resolve)\\s*\\(?\\s*['"]${name}(/[^'"]*)?['"]`);
  return files.filter((file) => specifier.test(readFileSync(join(repository, file), 'utf8')));
}

it('the repository imports the emulator only in tests, benchmarks and development tools', () => {
  const importers = importersOf('@temporal-kms/kms-emulator');
  expect(importers).toContain('packages/kms-codec/test/package.test.ts');
  expect(importers.filter((file) => !/\/(test|bench|dev)\/|^(e2e|packages\/testing)\//.test(file))).toEqual(
    [],
  );
});

it("only one file of the library imports Google's Cloud KMS client", () => {
  const importers = importersOf('@google-cloud/kms');
  expect(importers.filter((file) => file.startsWith('packages/kms-codec/src/'))).toEqual([
    'packages/kms-codec/src/keys/google-client.ts',
  ]);
});

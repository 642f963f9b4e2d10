import { join } from 'node:path';
import { findGo } from '@temporal-kms/scripts/go';
import { projectRoot } from '@temporal-kms/scripts/project';
import { expect, it } from 'vitest';
import { branchKeyEntryVectors, keysFileVectors, messageFiles, strictYamlVectors } from '../src/files.ts';

const GO_MS = 540_000;
const vectorTest = /^Test(Messages|KeysFiles|StrictYAML|StoreEntries)\//;

it('the Go reader is formatted, vetted, and passes all vectors', { timeout: GO_MS }, async ({ skip }) => {
  const go = await findGo('the test of the Go reader is skipped');
  if (go === undefined) return skip('Go was not found');
  const folder = join(projectRoot, 'interop/go/reader');
  expect(await go.run(folder, ['run', 'cmd/gofmt', '-l', '.'])).toBe('');
  await go.run(folder, ['vet', './...']);
  const events = (await go.run(folder, ['test', '-count=1', '-json', './...']))
    .split('\n')
    .map((line): { Action: string; Test?: string } => JSON.parse(line));
  const passed = events.filter(({ Action, Test = '' }) => Action === 'pass' && vectorTest.test(Test));
  const vectors = [
    ...messageFiles.flatMap((file) => file.vectors),
    ...keysFileVectors,
    ...strictYamlVectors,
    ...branchKeyEntryVectors,
  ];
  expect(passed).toHaveLength(vectors.length);
});

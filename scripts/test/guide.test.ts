import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { parsePromises } from '../src/test/promises.ts';

/** The chapters of the integration guide for Temporal and Cloud KMS, in the guide's order. */
const chapters = [
  'Why use Cloud KMS?',
  'Architecture',
  'Create a key ring and key',
  'Grant access to your service account',
  'Install dependencies',
  'Implement KMS codec',
  'Use in worker',
  'Environment variables',
  'Key rotation',
  'Performance considerations',
  'Envelope encryption example',
  'Separate keys per environment',
  'Minimal permissions',
  'Enable audit logging',
  'Use VPC Service Controls',
  'Consider Cloud HSM',
  'Monitoring',
  'View recent KMS operations',
];

const read = (file: string): Promise<string> => readFile(join(projectRoot, file), 'utf8');

const [, list = ''] = (await read('docs/gcp-kms.md')).split('\n## Guide chapters\n');
const link = /\[[^\]]+\]\(([^)]+)\)/g;
const rows = [...list.matchAll(/^- \*\*(.+)\*\*: (.+); `(.+)` \((.+)\)$/gm)].map(
  ([, chapter = '', places = '', command = '', ids = '']) => ({
    chapter,
    code: [...places.replaceAll(link, '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
    links: [...places.matchAll(link)].map(([, target = '']) => target),
    command: command.replaceAll(' …', ''),
    promises: ids.split(', '),
  }),
);

/**
 * The test files of each promise, by the promise's id. The test command verifies that these tests ran and
 * passed.
 */
const promises = new Map(
  parsePromises(await read('docs/security-model.md')).map(({ id, files }) => [id, files]),
);

/** Returns the text of a test file and of the files that it imports. */
async function sources(file: string): Promise<string> {
  const text = await read(file);
  const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path = '']) => join(dirname(file), path));
  return [text, ...(await Promise.all(imports.map(read)))].join('\n');
}

/**
 * Matches a command in a test. The command can be text, arguments, or a call of a function with the same
 * name.
 */
function inTests(command: string): RegExp {
  const [, ...words] = command.split(' ');
  const escaped = words.map((word) => word.replaceAll(/[.]/g, '\\.'));
  return new RegExp(`(?<=[\\s'"\`./])${escaped.join(`[\\s'"\`,()[/]+`)}(?=[\\s'"\`(/])`);
}

it('docs/gcp-kms.md lists every chapter of the guide', () => {
  expect(rows.map(({ chapter }) => chapter)).toEqual(chapters);
});

describe.each(rows)('the chapter "$chapter"', ({ code, links, command, promises: ids }) => {
  it('names existing code and documentation', () => {
    expect(code.length * links.length).toBeGreaterThan(0);
    for (const path of code) expect(existsSync(join(projectRoot, path)), path).toBe(true);
  });

  it('names a command that the tests of its promises run', async () => {
    const files = ids.flatMap((id) => promises.get(id) ?? [`no promise ${id}`]);
    const texts = await Promise.all(files.map(sources));
    expect(texts.filter((text) => inTests(command).test(text)).length, command).toBeGreaterThan(0);
  });
});

it('inTests finds only commands that the tests run', async () => {
  const text = await sources('packages/kms-emulator/test/gcloud.test.ts');
  expect(inTests('gcloud kms keys create').test(text)).toBe(true);
  expect(inTests('gcloud kms keys destroy').test(text)).toBe(false);
  expect(inTests('gcloud kms keys cre').test(text)).toBe(false);
});

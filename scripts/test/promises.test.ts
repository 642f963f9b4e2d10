import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { judge, parsePromises } from '../src/test/promises.ts';

const table = `
| no. | promise | tests |
| --- | ------- | ----- |
| 1.1 | No one comes in | \`apps/a/test/in.test.ts\`, \`apps/a/test/out.test.ts\` |
| 1.2 | Nothing leaks   | \`apps/a/test/leak.test.ts\` |

| other | table |
| ----- | ----- |
| a     | b     |
`;

it('reads the rows that name test files', () => {
  expect(parsePromises(table)).toEqual([
    { point: '1.1 No one comes in', files: ['apps/a/test/in.test.ts', 'apps/a/test/out.test.ts'] },
    { point: '1.2 Nothing leaks', files: ['apps/a/test/leak.test.ts'] },
  ]);
});

it('finds in docs/promises.md each id once, and only test files that exist', async () => {
  const promises = parsePromises(await readFile(join(projectRoot, 'docs', 'promises.md'), 'utf8'));
  const ids = promises.map(({ point }) => point.split(' ')[0]);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  for (const file of promises.flatMap(({ files }) => files)) await access(join(projectRoot, file));
});

describe('a promise', () => {
  const promises = parsePromises(table);
  const everything = { all: true, strict: false };
  const passed = { passed: 2, failed: false, skipped: 0 };
  const kept = new Map([
    ['apps/a/test/in.test.ts', passed],
    ['apps/a/test/out.test.ts', passed],
    ['apps/a/test/leak.test.ts', passed],
  ]);

  it('is kept while all of its files pass', () => {
    const { lines, broken } = judge(promises, kept, everything);
    expect(broken).toBe(0);
    expect(lines[1]).toBe('✓ 1.2 Nothing leaks: apps/a/test/leak.test.ts (2)');
  });

  it.each([
    ['failed', { passed: 2, failed: true, skipped: 0 }],
    ['contains no passed test', { passed: 0, failed: false, skipped: 0 }],
  ])('is broken by a file that %s', (_, outcome) => {
    const { lines, broken } = judge(
      promises,
      new Map([...kept, ['apps/a/test/leak.test.ts', outcome]]),
      everything,
    );
    expect(broken).toBe(1);
    expect(lines[1]).toMatch(/^✗ 1.2/);
  });

  it('is broken by a file that did not run, unless the run was limited to some suites', () => {
    const some = new Map([...kept].slice(0, 2));
    expect(judge(promises, some, everything)).toMatchObject({ broken: 1 });
    expect(judge(promises, some, { all: false, strict: false })).toMatchObject({
      broken: 0,
      lines: { length: 1 },
    });
  });

  it('is untried if its tests were skipped, and broken if nothing may be skipped', () => {
    const left = new Map([...kept, ['apps/a/test/leak.test.ts', { passed: 0, failed: false, skipped: 2 }]]);
    const { lines, broken } = judge(promises, left, everything);
    expect([broken, lines[1]]).toEqual([0, '– 1.2 Nothing leaks: apps/a/test/leak.test.ts (0, 2 skipped)']);
    expect(judge(promises, left, { all: true, strict: true })).toMatchObject({ broken: 1 });
  });
});

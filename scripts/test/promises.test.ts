import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { judge, parsePromises } from '../src/test/promises.ts';

const page = `
# Promises

- **A limit.** No promise.
- **A1** No one comes in. \`apps/a/test/in.test.ts\`, \`apps/a/test/out.spec.ts\`
- **A12** Nothing leaks. \`apps/a/test/leak.test.tsx\`
`;

it('parsePromises reads list items', () => {
  expect(parsePromises(page)).toEqual([
    { id: 'A1', text: 'No one comes in.', files: ['apps/a/test/in.test.ts', 'apps/a/test/out.spec.ts'] },
    { id: 'A12', text: 'Nothing leaks.', files: ['apps/a/test/leak.test.tsx'] },
  ]);
});

it.each([
  ['has no id', '- Nothing leaks. `leak.test.ts`'],
  ['names no test file', '- **A1** Nothing leaks.'],
  ['names a file that is not a test', '- **A1** Nothing leaks. `leak.test.ts`, `leak.ts`'],
  ['has test files in its text', '- **A1** Nothing `a.test.ts` leaks. `leak.test.ts`'],
  ['separates its test files otherwise', '- **A1** Nothing leaks. `a.test.ts` `b.test.ts`'],
  ['is indented', '  - **A1** Nothing leaks. `leak.test.ts`'],
])('parsePromises refuses a list item that %s', (_, line) => {
  expect(() => parsePromises(line)).toThrow(line);
});

it('docs/security-model.md contains each id only once, and names only existing test files', async () => {
  const promises = parsePromises(await readFile(join(projectRoot, 'docs', 'security-model.md'), 'utf8'));
  const ids = promises.map(({ id }) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  for (const file of promises.flatMap(({ files }) => files)) await access(join(projectRoot, file));
});

describe('a promise', () => {
  const promises = parsePromises(page);
  const everything = { all: true, strict: false, long: false };
  const passed = { passed: 2, failed: false, skipped: 0, seconds: 1 };
  const kept = new Map([
    ['apps/a/test/in.test.ts', passed],
    ['apps/a/test/out.spec.ts', passed],
    ['apps/a/test/leak.test.tsx', passed],
  ]);

  it('is kept while all of its files pass', () => {
    const { lines, broken } = judge(promises, kept, everything);
    expect(broken).toBe(0);
    expect(lines[1]).toBe('✓ A12 Nothing leaks. Tests: apps/a/test/leak.test.tsx (2)');
  });

  it.each([
    ['failed', { passed: 2, failed: true, skipped: 0, seconds: 1 }],
    ['contains no passed test', { passed: 0, failed: false, skipped: 0, seconds: 1 }],
  ])('is broken by a file that %s', (_, outcome) => {
    const { lines, broken } = judge(
      promises,
      new Map([...kept, ['apps/a/test/leak.test.tsx', outcome]]),
      everything,
    );
    expect(broken).toBe(1);
    expect(lines[1]).toMatch(/^✗ A12 /);
  });

  it('is broken if a file did not run, unless only some suites ran', () => {
    const some = new Map([...kept].slice(0, 2));
    expect(judge(promises, some, everything)).toMatchObject({ broken: 1 });
    expect(judge(promises, some, { ...everything, all: false })).toMatchObject({
      broken: 0,
      lines: { length: 1 },
    });
  });

  it('is untried if its tests were skipped, or broken if no test may be skipped', () => {
    const left = new Map([
      ...kept,
      ['apps/a/test/leak.test.tsx', { passed: 0, failed: false, skipped: 2, seconds: 1 }],
    ]);
    const { lines, broken } = judge(promises, left, everything);
    expect([broken, lines[1]]).toEqual([
      0,
      '– A12 Nothing leaks. Tests: apps/a/test/leak.test.tsx (0, 2 skipped)',
    ]);
    expect(judge(promises, left, { ...everything, strict: true })).toMatchObject({ broken: 1 });
  });

  it('is judged by the command that runs its files', () => {
    const both = parsePromises('- **A1** It holds. `a.test.ts`, `b.long.test.ts`, `c.long.spec.ts`');
    const [short, long] = [
      new Map([['a.test.ts', passed]]),
      new Map([
        ['b.long.test.ts', passed],
        ['c.long.spec.ts', passed],
      ]),
    ];
    expect(judge(both, short, everything)).toEqual({
      broken: 0,
      lines: [
        '✓ A1 It holds. Tests: a.test.ts (2), b.long.test.ts (pnpm test:long), c.long.spec.ts (pnpm test:long)',
      ],
    });
    expect(judge(both, long, { ...everything, all: false, long: true })).toEqual({
      broken: 0,
      lines: ['✓ A1 It holds. Tests: a.test.ts (pnpm test), b.long.test.ts (2), c.long.spec.ts (2)'],
    });
    expect(judge(both, short, { ...everything, all: false, long: true }).lines).toEqual([]);
  });
});

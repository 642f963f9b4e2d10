import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { rightsFindings } from '../src/workflow-rights.ts';

const job = (permissions: string, step: string, environment = 'environment: npm'): string =>
  `on: push\njobs:\n  one:\n    ${permissions}\n    ${environment}\n    runs-on: x\n    steps:\n      - ${step}\n`;

describe('a job that may write', () => {
  it.each([
    'run: .ci/run',
    'run: npx -y pnpm@12.21.0 run release',
    'run: npm ci',
    'run: npm publish ./file.tgz --provenance',
    'run: echo ok && node scripts/src/x.ts',
    'run: echo ok | sh',
    'run: version=$(node -p 1)',
    'run: "[ -f x ] || pip install build"',
    'run: git status; ./build.sh',
    'run: if ! node x.ts; then true; fi',
    'uses: changesets/action@8488615a623b1b9c987934bb89eae8af6a946ac1',
  ])('must not run code of the repository or its dependencies: %s', (step) => {
    expect(rightsFindings(job('permissions: { id-token: write }', step))).toHaveLength(1);
    expect(rightsFindings(job('permissions: { contents: write }', step))).toHaveLength(1);
    expect(rightsFindings(job('permissions: write-all', step))).toHaveLength(1);
    expect(rightsFindings(job('name: no permissions', step))).toHaveLength(1);
    expect(rightsFindings(job('permissions: { contents: read }', step))).toEqual([]);
    expect(rightsFindings(job('permissions: {}', step))).toEqual([]);
  });

  it('must publish in an environment', () => {
    const step = 'run: npm publish ./file.tgz --provenance --ignore-scripts';
    expect(rightsFindings(job('permissions: { id-token: write }', step))).toEqual([]);
    expect(rightsFindings(job('permissions: { id-token: write }', step, 'name: x'))).toHaveLength(1);
    expect(rightsFindings(job('permissions: { packages: write }', 'run: echo', 'name: x'))).toHaveLength(1);
  });
});

it('this repository’s workflows have no findings', async () => {
  for (const name of ['ci.yml', 'release.yml']) {
    const text = await readFile(join(projectRoot, '.github/workflows', name), 'utf8');
    expect(rightsFindings(text)).toEqual([]);
  }
});

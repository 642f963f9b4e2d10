import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { rightsFindings, unpinnedActions } from '../src/workflow-rights.ts';

const job = (permissions: string, step: string, environment = 'environment: npm'): string =>
  `on: push\njobs:\n  one:\n    ${permissions}\n    ${environment}\n    runs-on: x\n    steps:\n      - ${step}\n`;

const codeql = (mode: string) => `{ uses: github/codeql-action/init@v4, with: { build-mode: ${mode} } }`;

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

  it('may run CodeQL only without a build', () => {
    const permissions = 'permissions: { security-events: write }';
    expect(rightsFindings(job(permissions, codeql('none')))).toEqual([]);
    expect(rightsFindings(job(permissions, codeql('autobuild')))).toHaveLength(1);
    expect(rightsFindings(job(permissions, 'uses: github/codeql-action/init@v4'))).toHaveLength(1);
  });

  it('must publish in an environment', () => {
    const step = 'run: npm publish ./file.tgz --provenance --ignore-scripts';
    expect(rightsFindings(job('permissions: { id-token: write }', step))).toEqual([]);
    expect(rightsFindings(job('permissions: { id-token: write }', step, 'name: x'))).toHaveLength(1);
    expect(rightsFindings(job('permissions: { packages: write }', 'run: echo', 'name: x'))).toHaveLength(1);
  });
});

it('unpinnedActions finds actions without a commit', () => {
  const commit = '1e69f48acb82d1966a394da916b4c1698aa569d6';
  const uses = ['actions/attest@v4', `actions/attest@${commit}`, './own', 'actions/attest@main'];
  const text = uses.map((action) => `- uses: ${action} # v4`).join('\n');
  expect(unpinnedActions(text)).toEqual(['actions/attest@v4', 'actions/attest@main']);
});

it('this repository’s workflows have no findings', async () => {
  const folder = join(projectRoot, '.github/workflows');
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    expect([...rightsFindings(text), ...unpinnedActions(text)], name).toEqual([]);
  }
});

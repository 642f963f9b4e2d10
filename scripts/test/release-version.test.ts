import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';
import { releaseVersion, versionedFiles, withVersion } from '../src/release-version.ts';
import { packagesWith } from '../src/turbo.ts';

const files = Object.keys(versionedFiles);

it('all versioned files contain the same version', async () => {
  const version = await releaseVersion();
  const packages = await packagesWith('types', []);
  for (const { directory } of packages) {
    const manifest: { version: string } = JSON.parse(
      await readFile(join(projectRoot, directory, 'package.json'), 'utf8'),
    );
    expect(manifest.version, directory).toBe(version);
  }
  for (const file of files) {
    const text = await readFile(join(projectRoot, file), 'utf8');
    expect(withVersion(file, text, version), file).toBe(text);
  }
});

it('versionedFiles lists every file outside the packages that contains the release’s version', async () => {
  const options = ['grep', '-lF', await releaseVersion(), '--', 'deploy', 'docs', 'compose.yaml'];
  const others = ['*.toml', '*/README.md', ':!deploy/package.json'];
  const { stdout } = await execa('git', [...options, ...others], { cwd: projectRoot });
  expect(files.toSorted()).toEqual(stdout.split('\n').toSorted());
});

it.each(files)('withVersion writes the next version into %s, and changes nothing else', async (file) => {
  const text = await readFile(join(projectRoot, file), 'utf8');
  const [before, after] = [text.split('\n'), withVersion(file, text, '9.8.7').split('\n')];
  const changed = after.filter((line, index) => line !== before[index]);
  expect(changed).not.toHaveLength(0);
  for (const line of changed) expect(line).toContain('9.8.7');
  expect(before.map((line) => line.replaceAll(/\d+\.\d+\.\d+/g, ''))).toEqual(
    after.map((line) => line.replaceAll(/\d+\.\d+\.\d+/g, '')),
  );
});

it('withVersion refuses a file that no longer contains the version', () => {
  expect(() => withVersion('interop/python/pyproject.toml', 'name = "temporal-kms"', '9.8.7')).toThrow(
    'contains no version',
  );
});

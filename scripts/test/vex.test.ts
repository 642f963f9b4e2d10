import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '../src/project.ts';
import { notShipped, vexDocument } from '../src/vex.ts';

const read = (file: string) => readFile(join(projectRoot, file));
const document = vexDocument.parse(JSON.parse((await read('deploy/temporal-kms.openvex.json')).toString()));

/** Returns the document with a statement about these components, by image. */
const statementAbout = (components: Readonly<Record<string, readonly string[]>>) => ({
  ...document,
  statements: document.statements
    .slice(0, 1)
    .map((statement) => ({
      ...statement,
      products: Object.entries(components).map(([image, ids]) => ({
        '@id': `pkg:oci/${image}`,
        subcomponents: ids.map((id) => ({ '@id': id })),
      })),
    })),
});

it('the document is in OpenVEX’s format, and names only components that the images contain', async () => {
  expect(await notShipped(document)).toEqual([]);
});

it('notShipped finds components that an image does not contain', async () => {
  const { catalog } = parse((await read('pnpm-workspace.yaml')).toString());
  const npm = (name: string) => `pkg:npm/${name.replace('@', '%40')}@${catalog[name]}`;
  const shipped = {
    worker: [npm('@temporalio/worker'), npm('protobufjs'), 'pkg:deb/debian/libc6'],
    'codec-server': [npm('hono'), npm('react')],
    dashboard: [npm('react'), 'pkg:deb/debian/tzdata'],
  };
  expect(await notShipped(statementAbout(shipped))).toEqual([]);
  const missing = {
    worker: [npm('vitest'), 'pkg:deb/debian/bash'],
    dashboard: [npm('@temporalio/worker'), 'pkg:npm/react@0.1.0', 'pkg:deb/debian/libc6'],
    other: ['pkg:deb/debian/libc6'],
  };
  expect(await notShipped(statementAbout(missing))).toHaveLength(6);
});

it('no program uses regexec(3), to which the statements about libc6 refer', async () => {
  const worker = createRequire(join(projectRoot, 'apps/worker/package.json')).resolve('@temporalio/worker');
  const native = createRequire(worker).resolve('@temporalio/core-bridge/package.json');
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  for (const file of [process.execPath, join(native, `../releases/${arch}-unknown-linux-gnu/index.node`)]) {
    const program = await readFile(file);
    // The name of an imported function ends with a zero byte.
    expect(program.includes('memcpy\0'), file).toBe(true);
    expect(program.includes('regexec\0'), file).toBe(false);
  }
});

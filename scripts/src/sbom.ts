/**
 * Part of `prepack`: writes the software bill of materials of the npm package in the current folder, in CycloneDX, into its
 * `dist`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { bundledFolders } from './published.ts';

const folder = process.cwd();
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const { name: own } = z.object({ name: z.string() }).parse(readJson(join(folder, 'package.json')));
const format = ['--sbom-format', 'cyclonedx', '--sbom-spec-version', '1.6'];
const args = ['--filter', own, 'sbom', ...format, '--prod', '--lockfile-only'];
const listed = execFileSync('pnpm', args, { cwd: folder, encoding: 'utf8' });
const bill = z.looseObject({ components: z.array(z.unknown()) }).parse(JSON.parse(listed));
const manifest = z.object({ version: z.string(), license: z.string() });
const config: unknown = await import(pathToFileURL(join(folder, 'tsdown.config.ts')).href);
const { bundled } = z.object({ bundled: z.array(z.string()) }).parse(config);
// pnpm lists only the dependencies that npm installs, so add the packages that are bundled into the files.
for (const [name, at] of bundledFolders(folder, bundled)) {
  const { version, license } = manifest.parse(readJson(join(at, 'package.json')));
  const purl = `pkg:npm/${name}@${version}`;
  bill.components.push({
    type: 'library',
    name,
    version,
    licenses: [{ license: { id: license } }],
    purl,
    'bom-ref': purl,
  });
}
writeFileSync(join(folder, 'dist/sbom.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);

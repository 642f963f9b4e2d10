/**
 * Part of `prepack`. Writes the software bill of materials of the npm package in the current folder, in
 * CycloneDX, into its `dist`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { billOfMaterials, billText } from './bill.ts';
import { bundledFolders } from './published.ts';

const folder = process.cwd();
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const { name: own } = z.object({ name: z.string() }).parse(readJson(join(folder, 'package.json')));
const bill = await billOfMaterials(own, '--lockfile-only');
const manifest = z.object({ version: z.string(), license: z.string() });
const config: unknown = await import(pathToFileURL(join(folder, 'tsdown.config.ts')).href);
const { bundled } = z.object({ bundled: z.array(z.string()) }).parse(config);
// pnpm lists only the dependencies that npm installs, so the loop adds the packages that are bundled into the
// files. Each of these packages depends on the next package.
let dependent = bill.dependencies.find(({ ref }) => ref === bill.metadata.component['bom-ref']);
for (const [name, at] of bundledFolders(folder, bundled)) {
  const { version, license } = manifest.parse(readJson(join(at, 'package.json')));
  const purl = `pkg:npm/${name}@${version}`;
  const licenses = [{ license: { id: license } }];
  bill.components.push({ type: 'library', name, version, licenses, purl, 'bom-ref': purl });
  dependent?.dependsOn.push(purl);
  dependent = { ref: purl, dependsOn: [] };
  bill.dependencies.push(dependent);
}
writeFileSync(join(folder, 'dist/sbom.cdx.json'), billText(bill));

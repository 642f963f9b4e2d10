/** Part of `prepack`: writes the software bill of materials of the npm package, in CycloneDX, into `dist`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { bundledFolders } from './tsdown.config.ts';

const format = ['--sbom-format', 'cyclonedx', '--sbom-spec-version', '1.6'];
const args = ['--filter', '@temporal-kms/kms-codec', 'sbom', ...format, '--prod', '--lockfile-only'];
const listed = execFileSync('pnpm', args, { cwd: import.meta.dirname, encoding: 'utf8' });
const bill = z.looseObject({ components: z.array(z.unknown()) }).parse(JSON.parse(listed));
const manifest = z.object({ version: z.string(), license: z.string() });
// pnpm lists what npm installs next to the package, and not what its files contain.
for (const [name, folder] of bundledFolders()) {
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  const { version, license } = manifest.parse(JSON.parse(text));
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
writeFileSync(join(import.meta.dirname, 'dist/sbom.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);

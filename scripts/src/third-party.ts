/**
 * The last step of an application's `build`, in the application's folder: writes into `dist/` a software bill
 * of materials (CycloneDX) and the licences of third-party packages. The bill and the licences cover every
 * direct and indirect dependency of the application, and may include packages that the bundle does not
 * contain.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { billOfMaterials, billText } from './bill.ts';
import { projectRoot } from './project.ts';

/**
 * Licences that permit anyone to pass on unchanged copies. If a package has any other licence, the build
 * fails, because a person must read the licence first.
 */
const accepted = new Set([
  '0BSD',
  'Apache-2.0',
  'Apache-2.0 AND MIT',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC-BY-4.0',
  'ISC',
  'MIT',
  'MPL-2.0',
  '(MPL-2.0 OR Apache-2.0)',
  'OFL-1.1',
  'Unlicense',
]);

/** Licences of packages that have no field `license`, as found in their files. */
const readByUs: Readonly<Record<string, string>> = { 'unionfs@4.6.0': 'Unlicense' };

const store = join(projectRoot, 'node_modules', '.pnpm');
const installed = await readdir(store);

const { name }: { name: string } = JSON.parse(await readFile('package.json', 'utf8'));
const bill = await billOfMaterials(name, '--sbom-type', 'application');
await writeFile(join('dist', 'sbom.cdx.json'), billText(bill));

const sections: string[] = [];
for (const component of bill.components) {
  const id = component.group ? `${component.group}/${component.name}` : component.name;
  if (id.startsWith('@temporal-kms/')) continue;
  const title = `${id}@${component.version}`;
  const [declared] = component.licenses ?? [];
  const licence = declared?.expression ?? declared?.license?.id ?? readByUs[title];
  if (licence === undefined || !accepted.has(licence)) {
    throw new Error(
      `${title} has the licence ${licence ?? '(none)'}. Read it, then add it to ${import.meta.filename}.`,
    );
  }
  sections.push([`${title} (${licence})`, ...(await textsOf(id, component.version))].join('\n\n'));
}
const notices = sections.toSorted().join(`\n\n${'-'.repeat(80)}\n\n`);
await writeFile(join('dist', 'THIRD-PARTY-NOTICES.txt'), `${notices}\n`);
console.log(`sbom.cdx.json, THIRD-PARTY-NOTICES.txt: ${sections.length} packages`);

/**
 * Returns the text of each licence file of a package; none if the package is not installed, because it is for
 * another platform.
 */
async function textsOf(id: string, version: string): Promise<string[]> {
  const entry = `${id.replace('/', '+')}@${version}`;
  const found = installed.find((each) => each === entry || each.startsWith(`${entry}_`));
  if (found === undefined) return [];
  const folder = join(store, found, 'node_modules', id);
  const files = (await readdir(folder)).filter((file) =>
    /^(licen[cs]e|notice|copying)(?!.*\.[jt]s$)/i.test(file),
  );
  return Promise.all(
    files.toSorted().map(async (file) => (await readFile(join(folder, file), 'utf8')).trim()),
  );
}

import { readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { nodeBase, staticBase } from './images/bases.ts';
import { projectRoot } from './project.ts';

const component = z.strictObject({ '@id': z.string().startsWith('pkg:') });

/** The part of OpenVEX 0.2 that we use (https://github.com/openvex/spec). */
export const vexDocument = z.strictObject({
  '@context': z.literal('https://openvex.dev/ns/v0.2.0'),
  '@id': z.url(),
  author: z.string(),
  timestamp: z.iso.datetime(),
  version: z.int().min(1),
  statements: z
    .array(
      z.strictObject({
        vulnerability: z.strictObject({ name: z.string().regex(/^(?:CVE-\d+-\d+|GHSA(?:-\w{4}){3})$/) }),
        products: z
          .array(z.strictObject({ ...component.shape, subcomponents: z.array(component).min(1) }))
          .min(1),
        status: z.literal('not_affected'),
        justification: z.enum([
          'component_not_present',
          'vulnerable_code_not_present',
          'vulnerable_code_not_in_execute_path',
          'vulnerable_code_cannot_be_controlled_by_adversary',
          'inline_mitigations_already_exist',
        ]),
        status_notes: z.string(),
      }),
    )
    .min(1),
});

/** The content of each image: Debian packages, and the dependencies of workspace packages. */
const images: Readonly<
  Record<string, { readonly base: readonly string[]; readonly from: readonly string[] }>
> = {
  'pkg:oci/codec-server': { base: nodeBase, from: ['apps/codec-server', 'apps/decrypt-ui'] },
  'pkg:oci/worker': { base: nodeBase, from: ['apps/worker'] },
  'pkg:oci/key-admin': { base: nodeBase, from: ['apps/key-admin'] },
  'pkg:oci/kms-emulator': { base: nodeBase, from: ['packages/kms-emulator'] },
  'pkg:oci/dashboard': { base: staticBase, from: ['apps/decrypt-ui'] },
};

const versions = z.record(z.string(), z.string()).default({});
const lockfile = z.object({
  importers: z.record(
    z.string(),
    z.object({ dependencies: z.record(z.string(), z.object({ version: z.string() })).default({}) }),
  ),
  snapshots: z.record(z.string(), z.object({ dependencies: versions, optionalDependencies: versions })),
});

/**
 * Returns the components that a document lists under a product, although the product does not contain them.
 */
export async function notShipped({ statements }: z.infer<typeof vexDocument>): Promise<string[]> {
  const lock = lockfile.parse(parse(await readFile(join(projectRoot, 'pnpm-lock.yaml'), 'utf8')));
  return statements
    .flatMap(({ products }) => products)
    .flatMap(({ '@id': product, subcomponents }) => {
      const image = images[product];
      const shipped = new Set([
        ...(image?.base ?? []).map((name) => `pkg:deb/debian/${name}`),
        ...packagesOf(image?.from ?? [], lock),
      ]);
      return subcomponents
        .map(({ '@id': id }) => id)
        .filter((id) => !shipped.has(id))
        .map((id) => `${id} in ${product}`);
    });
}

/** Returns the direct and indirect dependencies of workspace packages, as package URLs. */
function packagesOf(importers: readonly string[], { importers: own, snapshots }: z.infer<typeof lockfile>) {
  const folders = new Set(importers);
  const found = new Set<string>();
  for (const folder of folders)
    for (const [name, { version }] of Object.entries(own[folder]?.dependencies ?? {}))
      if (version.startsWith('link:')) folders.add(normalize(join(folder, version.slice('link:'.length))));
      else found.add(`${name}@${version}`);
  for (const key of found) {
    const { dependencies = {}, optionalDependencies = {} } = snapshots[key] ?? {};
    for (const [name, version] of Object.entries({ ...dependencies, ...optionalDependencies }))
      found.add(snapshots[version] ? version : `${name}@${version}`);
  }
  // A key ends with the versions of the peer dependencies in parentheses.
  return [...found].map((key) => `pkg:npm/${key.replace(/\(.*/, '').replace(/^@/, '%40')}`);
}

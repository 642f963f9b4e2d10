import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';

const component = z.looseObject({
  group: z.string().optional(),
  name: z.string(),
  version: z.string(),
  licenses: z
    .array(
      z.looseObject({
        expression: z.string().optional(),
        license: z.looseObject({ id: z.string().optional() }).optional(),
      }),
    )
    .optional(),
  purl: z.string(),
  'bom-ref': z.string(),
});

const bill = z.looseObject({
  metadata: z.looseObject({ component: z.looseObject({ 'bom-ref': z.string() }) }),
  components: z.array(component),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

type Bill = z.infer<typeof bill>;

/**
 * Returns the software bill of materials (CycloneDX) of a workspace package: all direct and indirect
 * dependencies except development dependencies. The bill has no serial number and no time, because these
 * would differ between two builds of a version.
 * @param options more options for `pnpm sbom`
 */
export async function billOfMaterials(name: string, ...options: readonly string[]): Promise<Bill> {
  const format = ['--sbom-format', 'cyclonedx', '--sbom-spec-version', '1.6', '--prod'];
  const args = ['--filter', name, 'sbom', ...format, ...options];
  const { stdout } = await promisify(execFile)('pnpm', args, { maxBuffer: 2 ** 26 });
  const listed = bill.parse(JSON.parse(stdout));
  delete listed['serialNumber'];
  delete listed.metadata['timestamp'];
  return listed;
}

/** Returns the JSON of a bill. Sorts the components, because pnpm lists them in a random order. */
export function billText(listed: Bill): string {
  const components = listed.components.toSorted((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));
  const dependencies = listed.dependencies
    .map((each) => ({ ...each, dependsOn: each.dependsOn.toSorted() }))
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  return `${JSON.stringify({ ...listed, components, dependencies }, undefined, 2)}\n`;
}

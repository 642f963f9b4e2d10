/** Builds the npm packages with tsdown. */
import { writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The oldest Node version that runs the packages, as in their `engines`. */
const NODE = '20.3';

export interface PublishedPackage {
  readonly name: string;
  readonly folder: string;
  readonly entry: Readonly<Record<string, string>>;
  /**
   * The dependencies to bundle. These dependencies have no CommonJS build, so Jest and Node versions before
   * 20.19 cannot `require` them.
   */
  readonly bundled?: readonly string[];
  /** Entries that also run in the workflow sandbox, which has no `process`. */
  readonly sandboxed?: readonly string[];
}

/**
 * Returns the statement to put at the start of an entry point: it throws if Node is too old. Without this
 * statement, an older Node would fail later, with an error that names no version.
 */
const versionCheck = (name: string): string =>
  `if (process.versions.node.localeCompare('${NODE}', undefined, { numeric: true }) < 0)
  throw new Error('${name} needs Node ${NODE} or later. This is Node ' + process.versions.node + '.');`;

/**
 * Returns tsdown's options. The code exists only as CommonJS, because Temporal loads the failure converter
 * with `require`. The ES modules re-export the CommonJS code, so an application that uses both module systems
 * gets only one copy of each class and each cache.
 */
export function publishedConfig({ name, folder, entry, bundled = [], sandboxed = [] }: PublishedPackage) {
  // The build fails if the files contain another package, which would be missing from the bill of materials.
  const inside = [...bundled, /^@temporal-kms\/node-utils/];
  const isChecked = (fileName: string) =>
    fileName.endsWith('.cjs') && !sandboxed.some((one) => fileName === `${one}.cjs`);
  return {
    entry: { ...entry },
    format: 'cjs' as const,
    platform: 'node' as const,
    target: `node${NODE}`,
    outputOptions: {
      banner: ({ isEntry, fileName }: { readonly isEntry: boolean; readonly fileName: string }) =>
        isEntry && isChecked(fileName) ? versionCheck(name) : '',
    },
    dts: { tsconfig: writeTsconfig(join(folder, '..')) },
    deps: { alwaysBundle: inside, onlyBundle: inside },
    hooks: {
      'build:done': async ({ options: { outDir } }: { readonly options: { readonly outDir: string } }) => {
        for (const one of Object.keys(entry)) {
          await writeFile(join(outDir, `${one}.mjs`), `export * from './${one}.cjs';\n`);
          await writeFile(join(outDir, `${one}.d.mts`), `export * from './${one}.cjs';\n`);
        }
        const texts = await licenses(folder, bundled);
        if (texts.length > 0) await writeFile(join(outDir, 'THIRD-PARTY-LICENSES.txt'), texts.join('\n\n'));
      },
    },
  };
}

/**
 * Writes the TypeScript configuration for emitting types, and returns its path. The configuration must be in
 * a folder above all packages, because the types include those of `node-utils`, and tsdown takes only files
 * below the configuration's folder. The build writes the configuration, because `turbo prune` would not copy
 * it from that folder.
 */
function writeTsconfig(packages: string): string {
  const path = join(packages, 'tsconfig.published.json');
  const config = {
    extends: './tsconfig/base.json',
    compilerOptions: { stripInternal: true, typeRoots: ['./node-utils/node_modules/@types'] },
    include: ['kms-codec/src', 'worker-kit/src', 'node-utils/src'],
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Returns the license of each bundled package, because licenses require that copies include their text. */
async function licenses(folder: string, bundled: readonly string[]): Promise<string[]> {
  const texts = bundledFolders(folder, bundled).map(
    async ([name, at]) => `${name}\n\n${await readFile(join(at, 'license'), 'utf8')}`,
  );
  return await Promise.all(texts);
}

/**
 * Returns the names and folders of the bundled packages. Each package depends on the next, so pnpm installs
 * them next to each other.
 */
export function bundledFolders(folder: string, bundled: readonly string[]): [name: string, folder: string][] {
  let from = join(folder, 'package.json');
  return bundled.map((name) => {
    from = createRequire(from).resolve(name);
    return [name, dirname(from)];
  });
}

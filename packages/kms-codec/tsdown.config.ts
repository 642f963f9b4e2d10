import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'tsdown';

const entry = {
  index: 'src/index.ts',
  'failure-converter': 'src/failure-converter.ts',
  'run-worker': 'src/run-worker.ts',
  'strict-yaml': 'src/config/strict-yaml.ts',
  testing: 'src/testing.ts',
  'worker-logging': 'src/worker-logging.ts',
};

/** ES modules without a CommonJS build, which Jest and Node before 20.19 cannot `require`: they go into the files. */
const bundled = ['p-retry', 'is-network-error'];

/** The oldest Node that runs the package, as in `engines`. */
const NODE = '20.3';

/**
 * The first line of each entry: an older Node would fail later, with an error that names neither version. Not in the failure
 * converter, which also runs in the sandbox of workflows, without `process`.
 */
const versionCheck = `if (process.versions.node.localeCompare('${NODE}', undefined, { numeric: true }) < 0)
  throw new Error('@temporal-kms/kms-codec needs Node ${NODE} or later. This is Node ' + process.versions.node + '.');`;

// The code exists once, as CommonJS, because Temporal loads the failure converter with `require`. The ES modules
// re-export it: an application that uses both module systems gets one copy of each class and each cache.
export default defineConfig({
  entry,
  format: 'cjs',
  platform: 'node',
  target: `node${NODE}`,
  outputOptions: {
    banner: ({ isEntry, fileName }) =>
      isEntry && fileName.endsWith('.cjs') && fileName !== 'failure-converter.cjs' ? versionCheck : '',
  },
  dts: true,
  deps: { alwaysBundle: [...bundled, /^@temporal-kms\/node-utils/], onlyBundle: false },
  hooks: {
    'build:done': async ({ options: { outDir } }) => {
      for (const name of Object.keys(entry)) {
        await writeFile(join(outDir, `${name}.mjs`), `export * from './${name}.cjs';\n`);
        await writeFile(join(outDir, `${name}.d.mts`), `export * from './${name}.cjs';\n`);
      }
      await writeFile(join(outDir, 'THIRD-PARTY-LICENSES.txt'), (await licenses()).join('\n\n'));
    },
  },
});

/** The license of each bundled package, whose terms require that copies include it. */
async function licenses(): Promise<string[]> {
  const texts = bundledFolders().map(
    async ([name, folder]) => `${name}\n\n${await readFile(join(folder, 'license'), 'utf8')}`,
  );
  return await Promise.all(texts);
}

/** Returns the names and folders of the bundled packages. */
export function bundledFolders(): [name: string, folder: string][] {
  let from = import.meta.filename;
  return bundled.map((name) => {
    // The first package depends on the second: pnpm installs that one next to it, not here.
    from = createRequire(from).resolve(name);
    return [name, dirname(from)];
  });
}

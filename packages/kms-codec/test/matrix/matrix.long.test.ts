/**
 * Tests the packed tarball in every environment of the README's compatibility table. Most tests encrypt and
 * decrypt one payload with `createTestCodec` and one with an emulator key. The last test compares the table
 * with the tests. `package.test.ts` tests npm: it runs the README's programs in a project that npm installed.
 */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { install, pack, run, temporalPackages } from '@temporal-kms/testing/published';
import { tableRows } from '@temporal-kms/testing/markdown';
import { filesOfReadme, readReadme } from '@temporal-kms/testing/readme';
import { expected, programs } from './programs.ts';

vi.setConfig({ testTimeout: 180_000 });

/** The tool versions that the tests use. The README's table names the major versions. */
const tools = {
  '@types/node': '24.19.2',
  esbuild: '0.28.2',
  jest: '30.5.2',
  'ts-node': '10.9.2',
  typescript: '5.9.3',
  vitest: '5.1.1',
};
const nodes = { 20: '20.20.2', 22: '22.23.3' };
const highest = { temporal: '1.24.0', kms: '6.3.0' };
const lowest = { temporal: '1.18.0', kms: '5.6.0', gax: '5.0.7' };

const ring = 'projects/acme/locations/global/keyRings/temporal-keys';

const packageFolder = join(import.meta.dirname, '../..');
let folder: string;
let kms: Emulator;
let tarball: string;

const at = (project: string) => join(folder, project);
const environment = (extra: Record<string, string> = {}) => ({
  GCP_PROJECT: 'acme',
  GCP_KMS_KEY_RING: 'temporal-keys',
  GCP_KMS_KEY: 'workflow-encryption',
  KMS_EMULATOR_HOST: kms.address,
  ...extra,
});

type NodeMajor = 20 | 22 | 24;
const nodeMajors: readonly NodeMajor[] = [20, 22, 24];
const executable = (major: NodeMajor) =>
  major === 24 ? process.execPath : join(folder, 'nodes/node_modules', `node-${major}`, 'bin/node');

/** Runs a program in a project. @returns the program's standard output, without the line end */
async function program(
  project: string,
  major: NodeMajor,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const path = `${dirname(executable(major))}:${process.env['PATH']}`;
  return (await run(at(project), executable(major), args, environment({ PATH: path, ...env }))).trimEnd();
}

const bin = (name: string, path: string) => join('node_modules', name, path);

async function createProject(
  name: string,
  options: Omit<Parameters<typeof install>[1], 'type'>,
): Promise<void> {
  const dependencies = { ...options.dependencies, [manifest.name]: `file:${tarball}` };
  await install(at(name), { ...options, type: 'commonjs', dependencies });
  for (const [file, text] of Object.entries(programs)) {
    await mkdir(dirname(join(at(name), file)), { recursive: true });
    await writeFile(join(at(name), file), text);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kms-codec-matrix-'));
  kms = await startEmulator({ keys: [`${ring}/cryptoKeys/workflow-encryption`] });
  tarball = await pack(packageFolder);
  const named = Object.entries(nodes).map(([major, version]) => [
    `node-${major}`,
    `npm:node-${process.platform}-${process.arch}@${version}`,
  ]);
  await install(at('nodes'), { manager: 'pnpm', dependencies: Object.fromEntries(named) });
  await createProject('pnpm', {
    manager: 'pnpm',
    dependencies: { ...temporalPackages(highest.temporal), ...tools },
  });
}, 300_000);
afterAll(async () => {
  await kms?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the package', () => {
  it.for(nodeMajors)('can be imported from an ES module on Node %i', async (major) => {
    expect(await program('pnpm', major, ['app.mjs'])).toBe(expected);
  });

  it.for(nodeMajors)('can be required from CommonJS on Node %i', async (major) => {
    expect(await program('pnpm', major, ['app.cjs'])).toBe(expected);
  });

  it('refuses zstd on Node 20 with an error that names the required Node version', async () => {
    const zstd = { KMS_COMPRESSION: 'zstd' };
    expect(await program('pnpm', 24, ['zstd.cjs', 'write', 'zstd.json'], zstd)).toBe('done');
    const refused = 'zstd compression is not available in Node 20.20.2: run Node 22.15 or later';
    expect(await program('pnpm', 20, ['zstd.cjs', 'write', 'refused.json'], zstd)).toBe(
      `true unsupported_version ${refused}`,
    );
    expect(await program('pnpm', 20, ['zstd.cjs', 'read', 'zstd.json'])).toBe(
      `true layer_unreadable ${refused}`,
    );
    expect(await program('pnpm', 22, ['zstd.cjs', 'read', 'zstd.json'])).toBe('done');
  });

  it('loads the same classes for ES modules and CommonJS in one process', async () => {
    const script = `
      import { createRequire } from 'node:module';
      import { KmsCodecError } from '@temporal-kms/kms-codec';
      const required = createRequire(import.meta.url)('@temporal-kms/kms-codec');
      console.log(required.KmsCodecError === KmsCodecError);`;
    expect(await program('pnpm', 24, ['--input-type=module', '-e', script])).toBe('true');
  });
});

/** The settings for each `moduleResolution`, and the files that TypeScript compiles with them. */
const resolutions = [
  { moduleResolution: 'nodenext', module: 'nodenext', files: ['app.mts', 'app.cts'] },
  { moduleResolution: 'node16', module: 'node16', files: ['app.mts', 'app.cts'] },
  { moduleResolution: 'bundler', module: 'esnext', files: ['app.mts'] },
  { moduleResolution: 'node10', module: 'commonjs', files: ['app.ts'] },
];

describe('TypeScript', () => {
  it.for(resolutions)(
    'compiles and runs an application with moduleResolution $moduleResolution',
    async ({ moduleResolution, module, files }) => {
      const config = `tsconfig.${moduleResolution}.json`;
      const outDir = `out-${moduleResolution}`;
      const compilerOptions = {
        target: 'es2022',
        module,
        moduleResolution,
        strict: true,
        esModuleInterop: true,
        types: ['node'],
        // Temporal's own declarations do not compile with some of these settings.
        skipLibCheck: true,
        outDir,
      };
      await writeFile(join(at('pnpm'), config), JSON.stringify({ compilerOptions, files }));
      await program('pnpm', 24, [bin('typescript', 'bin/tsc'), '-p', config]);
      for (const file of files) {
        const output = join(outDir, file.replace(/ts$/, 'js'));
        expect(await program('pnpm', 24, [output]), output).toBe(expected);
      }
    },
  );
});

describe('ts-node', () => {
  it.for(nodeMajors)('on Node %i runs the application', async (major) => {
    const compilerOptions = {
      target: 'es2022',
      module: 'commonjs',
      moduleResolution: 'node10',
      strict: true,
      esModuleInterop: true,
      skipLibCheck: true,
      types: ['node'],
    };
    await writeFile(join(at('pnpm'), 'tsconfig.ts-node.json'), JSON.stringify({ compilerOptions }));
    const args = ['--project', 'tsconfig.ts-node.json', 'app.ts'];
    expect(await program('pnpm', major, [bin('ts-node', 'dist/bin.js'), ...args])).toBe(expected);
  });
});

describe('Vitest', () => {
  // Vitest itself needs Node 22.
  it.for([22, 24] as const)("on Node %i runs the application's tests", async (major) => {
    await program('pnpm', major, [bin('vitest', 'vitest.mjs'), 'run', '--dir', 'vitest', '--globals=false']);
  });
});

describe('Jest', () => {
  it.for(nodeMajors)("on Node %i runs the application's tests", async (major) => {
    const config = JSON.stringify({ testMatch: ['**/jest/*.test.cjs'], transform: {} });
    await program('pnpm', major, [bin('jest', 'bin/jest.js'), '--config', config]);
  });
});

const esmBanner = filesOfReadme(packageFolder).get('esbuild-banner.mjs') ?? '';

describe('esbuild', () => {
  it.for([
    { format: 'esm', file: 'bundle-esm.mjs', banner: [`--banner:js=${esmBanner}`] },
    { format: 'cjs', file: 'bundle-cjs.cjs', banner: [] },
  ])('bundles the application into one $format file', async ({ format, file, banner }) => {
    const options = [
      '--bundle',
      '--platform=node',
      `--format=${format}`,
      `--outfile=alone/${file}`,
      ...banner,
    ];
    await run(at('pnpm'), join(at('pnpm'), bin('esbuild', 'bin/esbuild')), ['app.mjs', ...options]);
    // The bundle is outside the project, so that the project's node_modules are not found.
    await mkdir(at('alone'), { recursive: true });
    await run(folder, 'cp', [join(at('pnpm'), 'alone', file), at('alone')]);
    for (const major of [22, 24] as const) expect(await program('alone', major, [file])).toBe(expected);
  });
});

describe('webpack', () => {
  it("as run by Temporal's worker bundles the failure converter without Node's modules and Google's client", async () => {
    expect(await program('pnpm', 22, ['bundle.cjs'])).toBe('true false');
  });
});

describe('yarn', () => {
  it('installs the package, which works from an ES module, from CommonJS and in a workflow bundle', async () => {
    await createProject('yarn', { manager: 'yarn', dependencies: temporalPackages(highest.temporal) });
    expect(await program('yarn', 24, ['app.mjs'])).toBe(expected);
    expect(await program('yarn', 24, ['app.cjs'])).toBe(expected);
    expect(await program('yarn', 24, ['bundle.cjs'])).toBe('true false');
  });

  it('does not install the Cloud Storage client; a codec that needs the client reports that it is missing, and still encrypts', async () => {
    const script = `
      const { loadKmsCodec } = require('@temporal-kms/kms-codec');
      const observer = { branchKeyStoreFailed: ({ code }) => console.log(code) };
      const codec = loadKmsCodec({ observer });
      const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('1') };
      codec.encode([payload], { namespace: 'default' }).then(([{ metadata }]) => {
        console.log(String(metadata.encoding));
        return codec.close();
      });`;
    expect(await program('yarn', 24, ['-e', script], { KMS_BRANCH_KEYS: 'gs://bucket/prefix' })).toBe(
      'not_installed\nbinary/envelope-kms-v2',
    );
  });
});

describe(`Temporal's SDK ${lowest.temporal} with Google's client ${lowest.kms} on Node 20`, () => {
  it('runs a worker, a client and a replay with the package, and no plaintext reaches Temporal', async () => {
    await createProject('lowest', {
      manager: 'pnpm',
      dependencies: temporalPackages(lowest.temporal),
      overrides: { '@google-cloud/kms': lowest.kms, 'google-gax': lowest.gax },
    });
    const temporal = await startTemporal();
    try {
      const printed = await program('lowest', 20, ['worker.cjs'], { TEMPORAL_ADDRESS: temporal.address });
      expect(printed.split('\n')).toEqual([
        'charged card 4111',
        'refused bad card 4111',
        'ciphertext in Temporal',
        'ciphertext in Temporal',
        'replayed',
      ]);
    } finally {
      await temporal.close();
    }
  });

  it('are the lowest versions that the package declares', () => {
    const peers = Object.entries(manifest.peerDependencies);
    const temporal = peers.filter(([name]) => name.startsWith('@temporalio/'));
    expect(temporal.map(([, range]) => range)).toEqual([`^${lowest.temporal}`, `^${lowest.temporal}`]);
    const { catalogs } = parse(
      readFileSync(new URL('../../../../pnpm-workspace.yaml', import.meta.url), 'utf8'),
    );
    const { '@google-cloud/kms': client, 'google-gax': gax } = catalogs.published;
    expect(client).toBe(`^${lowest.kms} || ^${highest.kms}`);
    expect(gax).toMatch(`^${lowest.gax} || `);
  });
});

const majorOf = (version: string) => version.split('.')[0];
const minorOf = (version: string) => version.split('.').slice(0, 2).join('.');

describe("the README's compatibility table", () => {
  it('lists the environments that these tests cover', () => {
    expect(tableRows(readReadme(packageFolder), 'Where', 'Tested')).toEqual([
      ['Node', `${nodeMajors.join(', ')} (zstd compression from 22.15 on)`],
      ['Module system', 'ES modules, CommonJS'],
      ['Package manager', `npm, pnpm, yarn 4 with \`nodeLinker: node-modules\``],
      ["Temporal's TypeScript SDK", `${minorOf(lowest.temporal)} and ${minorOf(highest.temporal)}`],
      ["Google's `@google-cloud/kms`", `${minorOf(lowest.kms)} and ${minorOf(highest.kms)}`],
      ['TypeScript `moduleResolution`', resolutions.map((one) => `\`${one.moduleResolution}\``).join(', ')],
      ['Run without a build', `ts-node ${majorOf(tools['ts-node'])}, Node's type stripping`],
      ['Test runner', `Vitest ${majorOf(tools.vitest)}, Jest ${majorOf(tools.jest)}`],
      ['Bundler', "esbuild (one ES module or one CommonJS file), Temporal's workflow bundler (webpack)"],
    ]);
  });
});

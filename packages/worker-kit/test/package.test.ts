import { existsSync, globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { historyBytes } from '@temporal-kms/testing/history';
import { runNode } from '@temporal-kms/testing/process';
import { apiReport, installCodec, node, pack, startNode, typeErrors } from '@temporal-kms/testing/published';
import { filesOfReadme } from '@temporal-kms/testing/readme';
import { Closers } from '@temporal-kms/testing/stack';
import { Client, Connection } from '@temporalio/client';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const packageFolder = join(import.meta.dirname, '..');
const codecFolder = join(packageFolder, '../kms-codec');
const readmeFiles = filesOfReadme(packageFolder);
let folder: string;
let tarball: string;
let kms: Emulator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'worker-kit-package-'));
  kms = await startEmulator({
    keys: ['projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/workflow-encryption'],
  });
  tarball = await pack(packageFolder);
  await installCodec(project(), [tarball]);
  // kms-codec's README contains the client and the replay.
  const fromCodec = [...filesOfReadme(codecFolder)].filter(([name]) => /^(client|replay)\.ts$/.test(name));
  for (const [name, text] of [...fromCodec, ...readmeFiles]) await writeFile(join(project(), name), text);
}, 300_000);
afterAll(async () => {
  await kms.close();
  await rm(folder, { recursive: true, force: true });
});

const project = () => join(folder, 'npm');

/** Returns whether a name belongs to a package that npm has installed, and not to a Node module. */
const isPackage = (name: string): boolean =>
  !isBuiltin(name) && existsSync(join(project(), 'node_modules', name));

const installed = (path: string) =>
  readFile(join(project(), 'node_modules/@temporal-kms/worker-kit', path), 'utf8');

/** Returns the README's environment variables, and those for the emulator. */
const environment = (extra: Record<string, string> = {}) => ({
  GCP_PROJECT: 'acme',
  GCP_KMS_LOCATION: 'us-east1',
  GCP_KMS_KEY_RING: 'temporal-keys',
  GCP_KMS_KEY: 'workflow-encryption',
  KMS_EMULATOR_HOST: kms.address,
  ...extra,
});

describe('the tarball', () => {
  it('passes publint and are-the-types-wrong', async () => {
    const bytes = new Uint8Array(await readFile(tarball));
    const { messages } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
    expect(messages).toEqual([]);
    const analysis = await checkPackage(createPackageFromTarballData(bytes));
    expect(analysis.types).toBeTruthy();
    expect('problems' in analysis ? analysis.problems : []).toEqual([]);
  });

  it('declares the same public API as the committed report', async () => {
    const report = await apiReport(join(project(), 'node_modules/@temporal-kms/worker-kit/dist'));
    await expect(report).toMatchFileSnapshot('../api-report.txt');
  });

  it('declares as dependencies exactly the packages that it imports, and as peer dependencies the codec and Temporal’s packages', async () => {
    const {
      dependencies,
      peerDependencies,
      peerDependenciesMeta,
    }: Record<string, Record<string, string>> = JSON.parse(await installed('package.json'));
    expect(peerDependencies!['@temporal-kms/kms-codec']).toMatch(/^\^\d/);
    // worker-kit imports this package only if the application has installed it.
    const optional = Object.keys(peerDependenciesMeta!);
    expect(optional).toEqual(['@opentelemetry/api']);
    const files = globSync('*.{cjs,mjs}', {
      cwd: join(project(), 'node_modules/@temporal-kms/worker-kit/dist'),
    });
    const code = (await Promise.all(files.map((file) => installed(`dist/${file}`)))).join('\n');
    // This search also finds packages that `import()` and `createRequire` load.
    const loaded = code.matchAll(/\(["']((?:@[\w-]+\/)?[\w-]+)(?:\/[\w./-]+)?["']\)/g);
    const packages = new Set(Array.from(loaded, ([, name]) => name!).filter(isPackage));
    const peers = Object.keys(peerDependencies!).filter((name) => !optional.includes(name));
    packages.delete('@opentelemetry/api');
    expect([...packages].toSorted()).toEqual([...Object.keys(dependencies!), ...peers].toSorted());
  });

  it('contains a bill of materials', async () => {
    const bill: { readonly bomFormat: string } = JSON.parse(await installed('dist/sbom.cdx.json'));
    expect(bill.bomFormat).toBe('CycloneDX');
  });
});

describe('the README', () => {
  it('has programs that type-check against the published types', async () => {
    expect(await typeErrors(project())).toEqual([]);
  }, 180_000);

  it('has workers, a client and a replay that run unchanged, and no plaintext reaches Temporal', async () => {
    await using closers = new Closers();
    const { address } = closers.use(await startTemporal());
    const connection = closers.use(await Connection.connect({ address }));
    const env = environment({ TEMPORAL_ADDRESS: address, HEALTH_PORT: '0' });
    for (const file of ['worker.ts', 'supervised-worker.ts']) {
      const worker = startNode(project(), [file], env);
      try {
        expect(await node(project(), ['client.ts'], env), file).toBe('charged card 4111\n');
        const history = await new Client({ connection }).workflow.getHandle('order-1').fetchHistory();
        expect(historyBytes(history).includes('card 4111'), file).toBe(false);
        expect(await worker.stop(), file).toBe(0);
      } finally {
        await worker.stop();
      }
    }
    expect(await node(project(), ['replay.ts'], env)).toBe('replayed\n');
  }, 300_000);

  it.each([
    ['a variable is missing', { GCP_KMS_KEY: '' }, 78, /GCP_KMS_KEY/],
    [
      'the keys file is unreadable',
      { GCP_KMS_KEY: '', KMS_KEYS_FILE: '/nonexistent.yaml' },
      78,
      /nonexistent.yaml does not exist/,
    ],
    ['no server listens at TEMPORAL_ADDRESS', { TEMPORAL_ADDRESS: '127.0.0.1:1' }, 1, /TEMPORAL_ADDRESS/],
    ['TEMPORAL_ADDRESS is not an address', { TEMPORAL_ADDRESS: '127.0.0.1:99999' }, 78, /TEMPORAL_ADDRESS/],
  ])(
    'has a worker.ts that logs one line about the mistake and ends if %s',
    async (_what, extra, code, reason) => {
      const set = Object.entries(environment(extra)).filter(([, value]) => value !== '');
      const env = { PATH: process.env['PATH'], ...Object.fromEntries(set) };
      const ended = await runNode('worker.ts', { cwd: project(), env });
      expect(ended.code).toBe(code);
      const lines = ended.stderr.trim().split('\n');
      expect(lines).toHaveLength(1);
      expect(JSON.parse(lines[0]!)).toMatchObject({
        severity: 'ERROR',
        reason: expect.stringMatching(reason),
      });
    },
  );

  it('has an example of a log with trace ids that runs unchanged', async () => {
    const key = 'projects/…';
    expect(await node(project(), ['traced-log.ts'], environment())).toBe(
      `${JSON.stringify({ level: 'info', message: 'Ready', sdkComponent: 'worker' })}\n${JSON.stringify({
        level: 'info',
        message: 'New key in use',
        namespace: 'default',
        key,
        keyVersion: 1,
        reason: 'first',
        origin: 'created',
      })}\n`,
    );
  });

  it('has an example with metrics that appear at the endpoint of Temporal’s Core', async () => {
    expect(await node(project(), ['measured.ts'], environment())).toBe(
      'codec_kms_failing{namespace="default"} 0\n',
    );
  });

  it('has an example of a custom log that writes no payload content', async () => {
    expect(await node(project(), ['own-log.ts'])).toBe('INFO Order shipped {"warehouse":"north"}\n');
  });

  it('contains only programs that these tests run', () => {
    const run = ['measured', 'own-log', 'supervised-worker', 'traced-log', 'worker'];
    const expected = [...run, 'activities', 'workflows'].map((name) => `${name}.ts`);
    expect([...readmeFiles.keys()].toSorted()).toEqual(expected.toSorted());
  });
});

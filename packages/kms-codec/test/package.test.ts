import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { startS3 } from '@temporal-kms/scripts/s3';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { apiReport, installCodec, node, pack, typeErrors } from '@temporal-kms/testing/published';
import { codeBlocks } from '@temporal-kms/testing/markdown';
import { filesOfReadme, readReadme } from '@temporal-kms/testing/readme';
import { Closers } from '@temporal-kms/testing/stack';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKmsCodec } from '../src/config/load.ts';
import { json, valueOf } from './support/codec.ts';
import { reasonCodes } from '../src/errors.ts';

/** The README's key ring, which also contains the keys in the README's keys file. */
const ring = 'projects/acme/locations/us-east1/keyRings/temporal-keys';
const keys = ['workflow-encryption', 'payments', 'payments-2025', 'billing'];

const packageFolder = join(import.meta.dirname, '..');
const readmeFiles = filesOfReadme(packageFolder);
let folder: string;
let tarball: string;
let kms: Emulator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kms-codec-package-'));
  kms = await startEmulator({ keys: keys.map((key) => `${ring}/cryptoKeys/${key}`) });
  tarball = await pack(packageFolder);
  await installCodec(project(), [
    '@aws-sdk/client-s3@^3.1175.0',
    '@temporalio/external-storage-s3@~1.22.0',
    '@temporalio/external-storage-s3-aws-sdk@~1.22.0',
    // The README says that external storage needs protobufjs if a Google client is installed too.
    'protobufjs@^8.8.1',
  ]);
  for (const [name, text] of readmeFiles) await writeFile(join(project(), name), text);
  // The installation takes 35 s if npm's cache is empty.
}, 300_000);
afterAll(async () => {
  await kms.close();
  await rm(folder, { recursive: true, force: true });
});

/** The project into which npm has installed the tarball. `matrix/` tests pnpm and yarn. */
const project = () => join(folder, 'npm');

const installed = (path: string) =>
  readFile(join(project(), 'node_modules/@temporal-kms/kms-codec', path), 'utf8');

/** Returns the environment variables in the README and the variables for the emulator. */
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
    const report = await apiReport(join(project(), 'node_modules/@temporal-kms/kms-codec/dist'));
    await expect(report).toMatchFileSnapshot('../api-report.txt');
  });

  it('can be required from CommonJS', async () => {
    const script = "console.log(require('@temporal-kms/kms-codec').reasonCodes.length)";
    const printed = await node(project(), ['--input-type=commonjs', '-e', script]);
    expect(printed).toBe(`${reasonCodes.length}\n`);
  });

  it('declares Temporal’s packages as peer dependencies, and exactly its other imports as dependencies', async () => {
    const {
      dependencies,
      peerDependencies,
      peerDependenciesMeta,
    }: Record<string, Record<string, string>> = JSON.parse(await installed('package.json'));
    // The library imports these packages only if a setting needs them.
    const optional = Object.keys(peerDependenciesMeta!);
    expect(optional).toEqual(['@google-cloud/storage']);
    const peers = Object.keys(peerDependencies!).filter((name) => !optional.includes(name));
    expect(peers).toEqual(['@temporalio/common', '@temporalio/proto']);
    for (const range of Object.values(dependencies!)) expect(range).toMatch(/^\^\d/);
    const files = globSync('*.{cjs,mjs}', {
      cwd: join(project(), 'node_modules/@temporal-kms/kms-codec/dist'),
    });
    const code = (await Promise.all(files.map((file) => installed(`dist/${file}`)))).join('\n');
    const imports = [
      ...code.matchAll(
        /^(?:let|const|import|export) .*(?:require\(|from )["']((?:@[^"'/]+\/)?[^"'/]+)[^"']*["']/gm,
      ),
    ].map(([, name]) => name!);
    const packages = new Set(imports.filter((name) => !name.startsWith('.') && !isBuiltin(name)));
    const declared = [...Object.keys(dependencies!), ...peers];
    expect([...packages].toSorted()).toEqual(declared.toSorted());
  });

  it('contains a bill of materials of its dependencies and bundled code', async () => {
    const {
      dependencies,
    }: Record<string, Record<string, string>> = JSON.parse(await installed('package.json'));
    const bill: {
      readonly bomFormat: string;
      readonly components: readonly {
        readonly group?: string;
        readonly name: string;
        readonly version: string;
        readonly 'bom-ref': string;
      }[];
      readonly dependencies: readonly { readonly dependsOn: readonly string[] }[];
    } = JSON.parse(await installed('dist/sbom.cdx.json'));
    expect(bill.bomFormat).toBe('CycloneDX');
    const names = bill.components.map(({ group, name }) => (group === undefined ? name : `${group}/${name}`));
    expect(names).toEqual(
      expect.arrayContaining([...Object.keys(dependencies!), 'p-retry', 'is-network-error']),
    );
    expect(names).not.toContain('vitest');
    const refs = bill.components.map((component) => component['bom-ref']);
    expect(
      bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.includes(ref)),
    ).toEqual([]);
    expect(refs.filter((ref) => !bill.dependencies.some(({ dependsOn }) => dependsOn.includes(ref)))).toEqual(
      [],
    );
    for (const { version } of bill.components) expect(version).toMatch(/^\d/);
  });

  it('has docstrings in its types, and no internal types', async () => {
    const dist = join(project(), 'node_modules/@temporal-kms/kms-codec/dist');
    const files = globSync('*.d.cts', { cwd: dist });
    const types = (await Promise.all(files.map((file) => installed(`dist/${file}`)))).join('\n');
    expect(types).toContain('A Temporal PayloadCodec with keys in Google Cloud KMS.');
    expect(types).toContain('@throws');
    expect(types).not.toMatch(/\b(?:DataKeys|EncryptionKeys|DecryptionKeys)\b|@temporalio\/(?!common)/);
  });
});

describe('the package, if npm has installed it alongside Temporal,', () => {
  it('encrypts, decrypts, and reports why a payload cannot be decrypted', async () => {
    expect(await node(project(), ['by-hand.ts'], environment())).toBe(
      'envelope-v2\ncard 4111 1\nnamespace_mismatch restorable\n',
    );
  });

  it('has a failure converter that can be bundled without Node’s modules or Google’s client', async () => {
    await node(project(), ['bundle.ts']);
    const bundle = await readFile(join(project(), 'workflows.bundle.js'), 'utf8');
    expect(bundle).toContain('encodeCommonAttributes: true');
    expect(bundle).not.toMatch(
      /@google-cloud|google-gax|class KmsCodecError|key_destroy_scheduled|node:crypto/,
    );
  });
});

describe('the README', () => {
  it('has programs that type-check against the published types', async () => {
    expect(await typeErrors(project())).toEqual([]);
  }, 300_000);

  it('has working examples of a codec alongside another codec and of an observer', async () => {
    expect(await node(project(), ['with-another.ts'], environment())).toBe('an old message\n');
    expect(await node(project(), ['observed.ts'], environment())).toMatch(
      /^wrap ok [\d.]+\nnew branch key for default 1 first created\n$/,
    );
  }, 120_000);

  it('has an example with external storage that stores a large payload as ciphertext', async () => {
    await using closers = new Closers();
    const temporal = closers.use(await startTemporal());
    const s3 = closers.use(await startS3(['acme-payloads']));
    const { accessKeyId, secretAccessKey } = s3.writer;
    const env = environment({
      TEMPORAL_ADDRESS: temporal.address,
      AWS_ENDPOINT_URL: s3.url,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    });
    await node(project(), ['external-storage.ts'], env);
    const client = new S3Client({ endpoint: s3.url, region: s3.region, credentials: s3.reader });
    const { Contents: [stored] = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: 'acme-payloads', Prefix: 'v0/ns/default/' }),
    );
    const { Body: body } = await client.send(
      new GetObjectCommand({ Bucket: 'acme-payloads', Key: stored!.Key }),
    );
    const text = await body!.transformToString('latin1');
    expect(text).toContain('binary/envelope-kms-v2');
    expect(text).not.toContain('card 4111');
    client.destroy();
  }, 300_000);

  it('has only excerpts whose lines also occur in its programs', () => {
    const programs = new Set([...readmeFiles.values()].flatMap((text) => text.split('\n')));
    const excerpts = codeBlocks(readReadme(packageFolder)).filter(({ info }) => info === 'ts');
    expect(excerpts.length).toBeGreaterThan(0);
    for (const line of excerpts.flatMap(({ code }) => code.trim().split('\n')))
      expect(programs).toContain(line);
  });

  it('has an example test with the test codec, which passes', async () => {
    expect(await node(project(), ['--test', '--test-reporter=tap', 'order.test.ts'])).toContain('# pass 1\n');
  });

  it('has a keys file with which every namespace encrypts and decrypts', async () => {
    const path = join(folder, 'keys.yaml');
    await writeFile(path, readmeFiles.get('keys.yaml')!);
    await writeFile(join(folder, 'samples-key.bin'), randomBytes(32));
    const codec = loadKmsCodec({ env: { KMS_KEYS_FILE: path, KMS_EMULATOR_HOST: kms.address } });
    for (const namespace of [...codec.rules.namespaces, 'unnamed']) {
      const encrypted = await codec.encode([json(namespace)], { namespace });
      expect(valueOf((await codec.decode(encrypted, { namespace }))[0])).toBe(namespace);
    }
    await codec.close();
  });

  it('contains only programs that these tests run', () => {
    const run = ['with-another', 'bundle', 'by-hand', 'external-storage', 'observed', 'order.test'];
    // worker-kit's tests run the client and the replay, with a worker.
    const elsewhere = ['client', 'replay'];
    const used = ['activities.ts', 'esbuild-banner.mjs', 'keys.yaml', 'workflows.ts'];
    const expected = [...[...run, ...elsewhere].map((name) => `${name}.ts`), ...used];
    expect([...readmeFiles.keys()].toSorted()).toEqual(expected.toSorted());
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storageFileJsonSchema } from '../src/configuration.ts';
import { readStorageFile } from '../src/index.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storage-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(...lines: string[]) {
  const path = join(folder, 'storage.yaml');
  await writeFile(path, [...lines, '...', ''].join('\n'));
  return readStorageFile(path, 'CODEC_STORAGE_FILE');
}

/** Reads a file with one store. */
const readStore = (fields: string, namespace = 'orders') =>
  read('namespaces:', `  ${JSON.stringify(namespace)}:`, `    - { ${fields} }`);

describe('the storage file', () => {
  it('lets a namespace read only its part of Temporal’s layout, unless the file names prefixes', async () => {
    const { namespaces } = await read(
      'namespaces:',
      '  orders:',
      '    - { type: s3, bucket: acme-payloads, region: eu-central-1 }',
      '    - { type: gcs, bucket: acme-payloads, driverName: mine, prefixes: ["v0/ns/orders/", "v0/d/"] }',
      '    - { type: directory, bucket: local, path: objects }',
    );
    expect(namespaces.get('orders')).toMatchObject([
      { driverName: 'aws.s3driver', prefixes: ['v0/ns/orders/'] },
      { driverName: 'mine', prefixes: ['v0/ns/orders/', 'v0/d/'] },
      { driverName: 'temporal-kms.directory', path: join(folder, 'objects') },
    ]);
  });

  it.each([
    ['s3', 'a b~/é%', 'v0/ns/a%20b%7E%2F%C3%A9%25/'],
    ['gcs', 'a b~/é%', 'v0/ns/a b~%2Fé%25/'],
  ])('escapes a namespace as Temporal’s driver for %s does', async (type, namespace, prefix) => {
    const region = type === 's3' ? ', region: eu-central-1' : '';
    const { namespaces } = await readStore(`type: ${type}, bucket: acme${region}`, namespace);
    expect(namespaces.get(namespace)?.[0]?.prefixes).toEqual([prefix]);
  });

  const s3 = 'type: s3, region: eu-central-1, bucket:';
  it.each([
    ['an ARN', `${s3} "arn:aws:s3:eu-central-1:123456789012:accesspoint/acme"`],
    ['a URL', `${s3} "s3://acme"`],
    ['a path', `${s3} "acme/x"`],
    ['upper case', `${s3} Acme`],
    ['no region', 'type: s3, bucket: acme'],
    ['a host for a region', 'type: s3, region: "x.example.com/", bucket: acme'],
    ['an unknown kind of store', 'type: azure, bucket: acme'],
    ['an unknown field', `${s3} acme, key: x`],
    ['a path for a bucket', `${s3} acme, path: x`],
    ['no prefix', `${s3} acme, prefixes: []`],
    ['an empty prefix', `${s3} acme, prefixes: [""]`],
    ['a prefix that ends within a segment', `${s3} acme, prefixes: ["v0/ns/order"]`],
    ['a prefix with ..', `${s3} acme, prefixes: ["v0/../"]`],
    ['an endpoint without TLS', `${s3} acme, endpoint: "http://minio.example.com"`],
    ['an endpoint that only looks like loopback', `${s3} acme, endpoint: "http://127.0.0.1.example.com"`],
    ['an endpoint with a user', `${s3} acme, endpoint: "https://u:p@example.com"`],
    ['an endpoint with a path', `${s3} acme, endpoint: "https://example.com/x"`],
    ['a store twice', `${s3} acme }\n    - { ${s3} acme`],
  ])('is refused with %s', async (_, fields) => {
    await expect(readStore(fields)).rejects.toMatchObject({ name: 'StrictYamlError' });
  });

  it('has the published JSON Schema, which `vitest -u` updates', async () => {
    const schema = `${JSON.stringify(storageFileJsonSchema(), undefined, 2)}\n`;
    await expect(schema).toMatchFileSnapshot('../storage-file.schema.json');
  });

  it('accepts an endpoint with TLS, or on loopback', async () => {
    for (const endpoint of [
      'https://minio.example.com:9000',
      'http://127.0.0.1:9000',
      'http://[::1]:9000/',
    ]) {
      const { namespaces } = await readStore(`${s3} acme, endpoint: "${endpoint}"`);
      expect(namespaces.get('orders')?.[0]?.endpoint).toBe(endpoint);
    }
  });
});

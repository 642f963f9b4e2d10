import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { parseEntryLine } from '@temporal-kms/audit';
import { type GcsServer, startGcs } from '@temporal-kms/scripts/gcs';
import { type S3Server, startS3 } from '@temporal-kms/scripts/s3';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePayloads } from '../../src/json/payload-json.ts';
import { forFile } from '../support/for-file.ts';
import { type ServerProcess, spawnServer, startServer } from '../support/process.ts';
import { bodyOf, type Payload, plain, startKms } from '../support/stack.ts';
import { createStorage, referenceTo } from '../support/storage.ts';

const BUCKET = 'acme-payloads';
const folder = mkdtempSync(join(tmpdir(), 'storage-'));
const auditFile = join(folder, 'audit.jsonl');

const kms = forFile(await startKms());
let s3: S3Server;
let gcs: GcsServer;
let server: ServerProcess;

const environment = (content: string): Record<string, string> => {
  const file = join(folder, 'storage.yaml');
  writeFileSync(file, content, { mode: 0o600 });
  return { CODEC_STORAGE_FILE: file, KMS_EMULATOR_HOST: kms.emulator.address };
};

beforeAll(async () => {
  [s3, gcs] = await Promise.all([startS3([BUCKET]), startGcs()]);
  await gcs.createBucket(BUCKET);
  server = await startServer({
    ...environment(`namespaces:
  payments:
    - { type: s3, bucket: ${BUCKET}, region: ${s3.region}, endpoint: '${s3.url}' }
    - { type: gcs, bucket: ${BUCKET}, endpoint: '${gcs.url}' }
...
`),
    AWS_ACCESS_KEY_ID: s3.reader.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.reader.secretAccessKey,
    AUDIT_FILE: auditFile,
    CODEC_METRICS_PORT: '0',
  });
});
afterAll(async () => {
  await server.stop();
  await Promise.all([s3.close(), gcs.close()]);
});

const ask = (path: string, payloads: readonly Payload[], url = server.url): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-namespace': 'payments' },
    body: bodyOf(payloads),
  });

/** Stores a payload as the Go SDK's drivers for S3 and Cloud Storage do, and returns the reference. */
async function put(type: 's3' | 'gcs', payload: Payload): Promise<Payload> {
  const bytes = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  const hash = createHash('sha256').update(bytes).digest('hex');
  const name = `v0/ns/payments/wt/order/wi/w/ri/r/d/sha256/${hash}`;
  const claim = { bucket: BUCKET, key: name, hash_algorithm: 'sha256', hash_value: hash };
  if (type === 's3') {
    const { url: endpoint, region, writer: credentials } = s3;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: name, Body: bytes }));
    client.destroy();
    return referenceTo(claim, bytes.length, 'aws.s3driver');
  }
  const url = `${gcs.url}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`;
  expect((await fetch(url, { method: 'POST', body: Buffer.from(bytes) })).ok).toBe(true);
  return referenceTo(claim, bytes.length, 'gcp.gcsdriver');
}

describe.each([
  ['s3', 'aws.s3driver'],
  ['gcs', 'gcp.gcsdriver'],
] as const)('a real server for %s', (type, driver) => {
  it('is read by /decode and /download, and the audit contains each object', async () => {
    const [payload] = await kms.codec.encode([plain('x'.repeat(400_000))], { namespace: 'payments' });
    const reference = await put(type, payload!);
    for (const path of ['/decode', '/download']) {
      const response = await ask(path, [reference]);
      expect(response.status).toBe(200);
      const [decoded] = parsePayloads(Buffer.from(await response.arrayBuffer()), 1);
      expect(decoded!.data!.length).toBe(400_002);
    }
    const entries = readFileSync(auditFile, 'utf8')
      .split('\n')
      .map((line) => parseEntryLine(line));
    const objects = entries.flatMap((entry) => (entry?.object?.type === type ? [entry.object] : []));
    expect(objects).toEqual(
      Array.from({ length: 2 }, () => ({
        type,
        driver,
        bucket: BUCKET,
        object: expect.stringMatching(/^v0\/ns\/payments\/wt\/order\/wi\/w\/ri\/r\/d\/sha256\/[0-9a-f]{64}$/),
      })),
    );
  });

  it('leads to the code storage_not_found in the response and the metrics if it lacks an object', async () => {
    const hashValue = createHash('sha256').update(type).digest('hex');
    const name = `v0/ns/payments/d/sha256/${hashValue}`;
    const claim = {
      bucket: BUCKET,
      hashAlgorithm: 'sha256',
      hashValue,
      [type === 's3' ? 'key' : 'object']: name,
    };
    const response = await ask('/decode', [
      referenceTo(claim, 100, type === 's3' ? 'aws.s3driver' : 'gcp.gcsdriver'),
    ]);
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringMatching(/^storage_not_found: /),
    ]);
    const metrics = await (await fetch(server.metricsUrl!)).text();
    expect(metrics).toMatch(/codec_storage_failures_total\{code="storage_not_found"\} [12]\n/);
    expect(metrics).toMatch(/codec_storage_objects_total [24]\n/);
    expect(metrics).not.toContain(BUCKET);
  });
});

it('stays ready while external storage is down', async () => {
  await s3.close();
  const [payload] = await kms.codec.encode([plain('a')], { namespace: 'payments' });
  const claim = { bucket: BUCKET, key: `v0/ns/payments/d/sha256/${'0'.repeat(64)}`, hashAlgorithm: 'sha256' };
  const gone = await ask('/decode', [
    referenceTo({ ...claim, hashValue: '0'.repeat(64) }, 9, 'aws.s3driver'),
  ]);
  expect([gone.status, await gone.text()]).toEqual([503, expect.stringMatching(/^storage_unavailable: /)]);
  expect((await ask('/decode', [payload!])).status).toBe(200);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

it('reads the storage file again on SIGHUP, and keeps the previous file’s content if the new file has a mistake', async () => {
  const store = createStorage();
  const reference = await store.put(plain('a'));
  const write = (namespaces: object) =>
    writeFileSync(store.file, `${JSON.stringify({ namespaces })}\n...\n`, { mode: 0o600 });
  const reloading = await startServer({
    CODEC_STORAGE_FILE: store.file,
    KMS_EMULATOR_HOST: kms.emulator.address,
  });
  const reload = async (words: string) => {
    reloading.child.kill('SIGHUP');
    await expect.poll(() => reloading.output.out, { timeout: 30_000 }).toContain(words);
    return await ask('/decode', [reference], reloading.url);
  };
  try {
    write({ payments: [{ type: 'ftp' }] });
    const kept = await reload('storage file not reloaded; the previous storage file stays in force');
    expect([kept.status, reloading.output.out]).toEqual([
      200,
      expect.stringContaining('namespaces.payments[0]'),
    ]);
    write({ payments: [{ type: 'directory', bucket: BUCKET, path: '.', prefixes: ['v1/'] }] });
    const refused = await reload('storage file reloaded');
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringMatching(/^storage_not_allowed: /),
    ]);
  } finally {
    await reloading.stop();
  }
});

it('does not start if the storage file contains a mistake', async () => {
  const { output, exited } = spawnServer(
    environment('namespaces: { payments: [{ type: ftp, bucket: x }] }\n...\n'),
  );
  expect(await exited).toBe(78);
  expect(output.err).toMatch(/CODEC_STORAGE_FILE.*\n.*namespaces\.payments\[0\]\.type/);
});

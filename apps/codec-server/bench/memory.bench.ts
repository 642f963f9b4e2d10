import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { DirectoryDriver } from '@temporal-kms/payload-storage/directory-driver';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import { type Payload, StorageDriverClaim } from '@temporalio/common';
import { encodeReferencePayload } from '@temporalio/common/lib/internal-non-workflow/extstore-helpers.js';
import { buildPayloads } from '../src/json/payload-json.ts';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import type { Measured } from './support/measured.ts';

/*
 * Checks that the server stays within a memory limit: starts the server with the heap settings for 256 MiB,
 * and compares the peak resident memory that the kernel recorded with the limit. The benchmark also checks
 * every response.
 */

const { values } = parseArgs({
  options: {
    payloads: { type: 'string', default: '100000' },
    reads: { type: 'string', default: '5' },
    limit: { type: 'string', default: '256' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/memory.bench.ts [--payloads 100000] [--reads 5] [--limit 256]\n' +
      'Encodes and decodes payloads of 1 KiB, and reads an object of 50 MiB from external storage in each of two ways.\n' +
      'Fails if the server takes more than --limit MiB of memory.',
  );
  process.exit(0);
}

const CONCURRENCY = 16;
const PAYLOADS_PER_REQUEST = 100;
const MiB = 2 ** 20;
/**
 * Size of the plaintext in bytes. The stored object is larger than its plaintext, because the object also
 * contains the message's header.
 */
const PLAINTEXT_BYTES = 50 * MiB - 1_024;

const limit = Number(values.limit);
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const bundle = await buildBundle(directory);
const codec = benchCodec(emulator.address);
try {
  await measured(
    `${values.payloads} payloads of 1 KiB encoded and decoded in ${CONCURRENCY} concurrent requests of ${PAYLOADS_PER_REQUEST}`,
    {},
    encodeAndDecode,
  );
  const storageFile = join(directory, 'storage.yaml');
  const store = { type: 'directory', bucket: 'bench', path: 'objects' };
  // JSON is valid YAML, but our YAML files must also end with the line `...`.
  await writeFile(storageFile, `${JSON.stringify({ namespaces: { [NAMESPACE]: [store] } })}\n...\n`);
  const settings = { CODEC_STORAGE_FILE: storageFile, CODEC_MAX_INFLIGHT_BYTES: String(112 * MiB) };
  const { reference, sha256 } = await storeObject();
  await measured(`an object of 50 MiB read ${values.reads} times by /decode`, settings, async ({ url }) => {
    for (let n = 0; n < Number(values.reads); n += 1) {
      const text = await post(`${url}/decode`, buildPayloads([reference]));
      expectPlaintext(/"data":"([^"]*)"/.exec(text)?.[1], sha256);
    }
  });
  const request = JSON.stringify({ encoding: 'json', events: [eventOf(reference)], refs: ['1:0'] });
  await measured(`the same by payloads:decode`, settings, async ({ url }) => {
    for (let n = 0; n < Number(values.reads); n += 1) {
      const text = await post(`${url}/api/namespaces/${NAMESPACE}/history-files:decode`, request);
      expectPlaintext(/"data":"([^"]*)"/.exec(text)?.[1], sha256);
    }
  });
} finally {
  await codec.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}

async function measured(
  what: string,
  settings: Readonly<Record<string, string>>,
  work: (server: Measured) => Promise<void>,
): Promise<void> {
  const server = await startBundle(bundle, directory, {
    ...WITHIN_256_MIB,
    KMS_EMULATOR_HOST: emulator.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    ...settings,
  });
  try {
    const { now } = await server.memory();
    await work(server);
    const { peak } = await server.memory();
    console.log(
      `${what}: at most ${peak.toFixed(0)} MiB resident memory, ${now.toFixed(0)} MiB before, limit ${limit} MiB`,
    );
    if (!(peak <= limit)) process.exitCode = 1;
  } finally {
    await server.stop();
  }
}

async function encodeAndDecode({ url }: Measured): Promise<void> {
  const plain = JSON.stringify({
    payloads: Array.from({ length: PAYLOADS_PER_REQUEST }, () => ({
      metadata: { encoding: Buffer.from('binary/plain').toString('base64') },
      data: randomBytes(1_024).toString('base64'),
    })),
  });
  let left = Number(values.payloads);
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left > 0) {
        left -= PAYLOADS_PER_REQUEST;
        if ((await post(`${url}/decode`, await post(`${url}/encode`, plain))) !== plain)
          throw new Error('Decoding did not return the payloads that were encoded.');
      }
    }),
  );
}

/** Stores a large encrypted payload. Returns the reference to the payload, and the hash of the plaintext. */
async function storeObject() {
  const data = randomBytes(PLAINTEXT_BYTES);
  const plain = { metadata: { encoding: Buffer.from('binary/plain') }, data };
  const encrypted = await codec.encode([plain], { type: 'workflow', namespace: NAMESPACE });
  const driver = new DirectoryDriver({ path: join(directory, 'objects'), bucket: 'bench' });
  const target = { kind: 'workflow', namespace: NAMESPACE } as const;
  const [claim = new StorageDriverClaim({})] = await driver.store({ target }, encrypted);
  const sizeBytes = encrypted.reduce((sum, { data: bytes }) => sum + (bytes?.length ?? 0) + 64, 0);
  const reference = encodeReferencePayload({ driverName: driver.name, claim, sizeBytes });
  return { reference, sha256: createHash('sha256').update(data).digest('hex') };
}

/** Returns a history's first event, in the form of a history file, with the payload as its input. */
function eventOf(payload: Payload): string {
  return JSON.stringify({
    eventId: '1',
    eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED',
    workflowExecutionSignaledEventAttributes: {
      signalName: 'large',
      input: JSON.parse(buildPayloads([payload]).toString()),
    },
  });
}

function expectPlaintext(base64: string | undefined, sha256: string): void {
  const hash = createHash('sha256')
    .update(Buffer.from(base64 ?? '', 'base64'))
    .digest('hex');
  if (hash !== sha256) throw new Error('The response does not contain the plaintext of the object.');
}

async function post(url: string, body: string | Buffer<ArrayBuffer>): Promise<string> {
  const headers = { 'content-type': 'application/json', 'x-namespace': NAMESPACE };
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}

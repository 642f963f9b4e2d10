import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { median, range } from '@temporal-kms/scripts/figures';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { ExternalStorage } from '@temporalio/common';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import { makeHistory } from './support/long-history.ts';
import { type BenchStore, benchStores } from './support/stores.ts';

const { values } = parseArgs({
  options: {
    references: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/storage.bench.ts [--references 1000] [--rounds 5]\n' +
      'Exports a history whose payloads of 300 KiB are in external storage: in a directory, then in S3. Compares the throughput with\n' +
      "reading the same objects with the store's plain client, which neither checks nor decrypts them.",
  );
  process.exit(0);
}

const MiB = 2 ** 20;
const PAYLOAD_BYTES = 300 * 1_024;
/** Number of objects that the plain client reads at a time: as many as the codec server reads. */
const IN_FLIGHT = 8;
/** Each decrypted payload contains this text once, so the number of occurrences is the number of payloads. */
const DECODED = Buffer.from('json/plain').toString('base64');

const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const temporal = await startTemporal({ namespaces: [NAMESPACE] });
const codec = benchCodec(emulator.address);
try {
  const bundle = await buildBundle(directory);
  console.log('| store | plain client, MiB/s | export, MiB/s | ratio of the medians |\n|---|---|---|---|');
  for (const [name, open] of Object.entries(benchStores)) {
    const store = await open(directory);
    try {
      const { plain, exported } = await measure(name, bundle, store);
      const ratio = median(exported) / median(plain);
      console.log(`| ${name} | ${range(plain)} | ${range(exported)} | ${ratio.toFixed(2)} |`);
    } finally {
      await store.close();
    }
  }
} finally {
  await codec.close();
  await temporal.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}

/** Counts how many times a string occurs in a stream that is too large to be a string. */
async function countIn(stream: ReadableStream<Uint8Array>, text: string): Promise<number> {
  let count = 0;
  let rest = '';
  for await (const chunk of stream) {
    const read = rest + Buffer.from(chunk).toString('latin1');
    count += read.split(text).length - 1;
    rest = read.slice(1 - text.length);
  }
  return count;
}

async function measure(name: string, bundle: string, { driver, store, env, names, read }: BenchStore) {
  const events = Number(values.references) + 1;
  const externalStorage = new ExternalStorage({ drivers: [driver] });
  const run = await makeHistory(temporal.address, codec, name, events, PAYLOAD_BYTES, externalStorage);
  const objects = await names();
  if (objects.length !== run.payloads)
    throw new Error(`There are ${objects.length} objects instead of ${run.payloads}.`);
  const storageFile = join(directory, `${name}.yaml`);
  await writeFile(storageFile, `${JSON.stringify({ namespaces: { [NAMESPACE]: [store] } })}\n...\n`);
  const server = await startBundle(
    bundle,
    directory,
    {
      ...env,
      KMS_EMULATOR_HOST: emulator.address,
      TEMPORAL_ADDRESS: temporal.address,
      AUDIT_FILE: join(directory, 'audit.jsonl'),
      CODEC_STORAGE_FILE: storageFile,
      CODEC_RATE_STORAGE_BYTES: 'off',
    },
    { anyCore: true },
  );
  const path = `/api/namespaces/${NAMESPACE}/workflows/${run.workflowId}/runs/${run.runId}/history:export`;
  const exportDecoded = async (): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ form: 'decoded' });
    const response = await fetch(`${server.url}${path}`, { method: 'POST', headers, body });
    const decoded = await countIn(response.body ?? new ReadableStream(), DECODED);
    if (decoded !== run.payloads)
      throw new Error(`${response.status}: only ${decoded} of ${run.payloads} payloads were decrypted.`);
  };
  const readPlain = async (): Promise<void> => {
    const left = [...objects];
    const reader = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) await read(next);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, reader));
  };
  const rate = async (work: () => Promise<void>): Promise<number> => {
    const start = performance.now();
    await work();
    return (run.payloads * PAYLOAD_BYTES) / MiB / ((performance.now() - start) / 1_000);
  };
  const [plain, exported]: [number[], number[]] = [[], []];
  try {
    for (let round = 0; round < Number(values.rounds); round += 1) {
      plain.push(await rate(readPlain));
      exported.push(await rate(exportDecoded));
    }
  } finally {
    await server.stop();
  }
  return { plain, exported };
}

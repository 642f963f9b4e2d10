import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import { buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';

/*
 * Checks that the server stays within a memory limit: starts the server with heap settings for the limit, and
 * compares the peak resident memory that the kernel recorded with the limit. Also checks every response.
 */

const { values } = parseArgs({
  options: {
    payloads: { type: 'string', default: '100000' },
    limit: { type: 'string', default: '256' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/memory.bench.ts [--payloads 100000] [--limit 256]\n' +
      'Encodes and decodes payloads of 1 KiB, and fails if the server takes more memory than the limit, in MiB.',
  );
  process.exit(0);
}

const CONCURRENCY = 16;
const PAYLOADS_PER_REQUEST = 100;

const limit = Number(values.limit);
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const server = await startBundle(await buildBundle(directory), directory, {
  ...WITHIN_256_MIB,
  KMS_EMULATOR_HOST: emulator.address,
  AUDIT_FILE: join(directory, 'audit.jsonl'),
});
try {
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
        if ((await post('decode', await post('encode', plain))) !== plain)
          throw new Error('Decoding did not return the payloads that were encoded.');
      }
    }),
  );
  const { peak } = await server.memory();
  console.log(
    `${values.payloads} payloads of 1 KiB encoded and decoded in ${CONCURRENCY} concurrent requests of ` +
      `${PAYLOADS_PER_REQUEST}: at most ${peak.toFixed(0)} MiB resident memory, limit ${limit} MiB`,
  );
  process.exitCode = peak <= limit ? 0 : 1;
} finally {
  await server.stop();
  await emulator.close();
  await rm(directory, { recursive: true });
}

async function post(route: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json', 'x-namespace': NAMESPACE };
  const response = await fetch(`${server.url}/${route}`, { method: 'POST', headers, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`/${route}: ${response.status} ${text}`);
  return text;
}

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { buildBundle, KEY, NAMESPACE, SMALL_HEAP, startBundle } from './support/bundle.ts';

/*
 * Whether the server serves within a memory limit: it is started with a heap that leaves room in it, and the highest
 * resident memory that the system has seen is held against it. Every answer must be right.
 */

const { values } = parseArgs({
  options: {
    payloads: { type: 'string', default: '100000' },
    limit: { type: 'string', default: '256' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log('node bench/memory.bench.ts [--payloads 100000] [--limit 256]\nThe limit is in MiB.');
  process.exit(0);
}

const AT_ONCE = 16;
const A_REQUEST = 100;

const limit = Number(values.limit);
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const server = await startBundle(
  await buildBundle(directory),
  directory,
  {
    KMS_EMULATOR_HOST: emulator.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    CODEC_RATE_REQUESTS: 'off',
  },
  { nodeOptions: SMALL_HEAP },
);
try {
  const plain = JSON.stringify({
    payloads: Array.from({ length: A_REQUEST }, () => ({
      metadata: { encoding: Buffer.from('binary/plain').toString('base64') },
      data: randomBytes(1_024).toString('base64'),
    })),
  });
  let left = Number(values.payloads);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left > 0) {
        left -= A_REQUEST;
        if ((await post('decode', await post('encode', plain))) !== plain)
          throw new Error('Another payload came back.');
      }
    }),
  );
  const { peak } = await server.memory();
  console.log(
    `${values.payloads} payloads of 1 KiB encoded and decoded, ${AT_ONCE} requests of ${A_REQUEST} at once: ` +
      `${peak.toFixed(0)} MiB at the highest, of ${limit}`,
  );
  process.exitCode = peak <= limit ? 0 : 1;
} finally {
  await server.stop();
  await emulator.close();
  await rm(directory, { recursive: true });
}

async function post(route: string, body: string): Promise<string> {
  const headers = { 'content-type': 'application/json', 'x-namespace': NAMESPACE };
  const answer = await fetch(`${server.url}/${route}`, { method: 'POST', headers, body });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`/${route}: ${answer.status} ${text}`);
  return text;
}

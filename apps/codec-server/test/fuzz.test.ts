import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from '@temporal-kms/scripts/figures';
import { afterAll, expect, it, vi } from 'vitest';
import { Random } from '@temporal-kms/testing/random';
import { type JsonPayload, makeRequest } from './fuzz/requests.ts';
import { send } from './fuzz/wire.ts';
import { forFile } from './support/for-file.ts';
import { keepForSearch } from './support/leak-search.ts';
import { startServer } from './support/process.ts';
import { bodyOf, keys, plain, startKms, text } from './support/stack.ts';

/* `SLOW=1` sends more requests, and measures memory more often; `SEED=n` sends different requests. */
const slow = process.env['SLOW'] !== undefined;
const requests = slow ? 100_000 : 2_000;
const seed = Number(process.env['SEED'] ?? 20_261_124);
vi.setConfig({ testTimeout: 3_600_000 });

const AT_ONCE = 16;
/** The number of memory measurements in each quarter of the requests. */
const LOOKS = slow ? 9 : 5;

const kms = forFile(await startKms());
const collect = fileURLToPath(new URL('fuzz/collect.ts', import.meta.url));
const server = await startServer(
  { HOME: '/nonexistent', KMS_EMULATOR_HOST: kms.emulator.address, CODEC_METRICS_PORT: '0' },
  ['--expose-gc', '--import', collect],
);
afterAll(() => server.kill());
const port = Number(new URL(server.url).port);

async function memory(): Promise<{ used: number; rss: number }> {
  const answer = once(server.child, 'message');
  server.child.send('collect');
  const [{ used, rss }]: any = await answer;
  return { used, rss };
}

const MiB = 2 ** 20;

/** Payloads in every format that the server decrypts or returns unchanged. */
async function makeCorpus(): Promise<JsonPayload[]> {
  const encrypted = await kms.codec.encode([plain('one'), plain({ two: 'x'.repeat(500) })], {
    namespace: 'payments',
  });
  const reference = {
    metadata: {
      encoding: text('json/protobuf'),
      messageType: text('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: text('{}'),
  };
  const old = ['binary/envelope-kms', 'binary/gcp-kms', 'binary/encrypted'].map((encoding) => ({
    metadata: {
      encoding: text(encoding),
      'encrypted-dek': Buffer.alloc(113, 7),
      'encryption-dek': text(Buffer.alloc(113, 7).toString('base64')),
      'encryption-key-id': text(`gcpkms://${keys.payments}`),
      'kms-key': text(keys.payments),
    },
    data: Buffer.alloc(80, 9),
  }));
  const payloads = [...encrypted, ...encrypted, plain('plain'), reference, ...old];
  return JSON.parse(bodyOf(payloads)).payloads;
}

const statuses: Record<string, number> = {};

async function attack(random: Random, corpus: readonly JsonPayload[], count: number): Promise<void> {
  const host = `127.0.0.1:${port}`;
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const wire = makeRequest(random, corpus, host);
      const answer = await send(port, wire.bytes);
      keepForSearch(answer.text, answer.statuses.includes(200) ? 'withPlaintext' : 'withoutPlaintext');
      for (const status of answer.statuses.length > 0 ? answer.statuses : ['closed']) {
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status === 500 || status === 503 || status === 504) {
          throw new Error(
            `seed ${seed}: ${status} to ${wire.kind}\n${wire.bytes.toString('latin1').slice(0, 4_000)}\n${answer.text}`,
          );
        }
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

it('rejects malformed requests with neither 500 nor 503, and does not keep the requests in memory', async () => {
  const random = new Random(seed);
  const corpus = await makeCorpus();
  const started = performance.now();
  const looks: number[] = [];
  let rss = 0;
  for (let look = 0; look < 4 * LOOKS; look += 1) {
    await attack(random, corpus, Math.ceil(requests / (4 * LOOKS)));
    const now = await memory();
    looks.push(now.used);
    rss = now.rss;
  }
  const quarters = [0, 1, 2, 3].map((quarter) => median(looks.slice(quarter * LOOKS, (quarter + 1) * LOOKS)));
  const growth = quarters[3]! / quarters[1]!;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const mib = quarters.map((bytes) => Math.round((bytes / MiB) * 10) / 10);
  process.stdout.write(
    `codec fuzz: ${JSON.stringify({ seed, requests, seconds, statuses, medianMiB: mib, growth: Math.round(growth * 1000) / 1000, rssMiB: Math.round(rss / MiB) })}\n`,
  );
  expect(server.child.exitCode).toBeNull();
  expect(server.output.err).toBe('');
  // If one of these statuses is missing, the fuzzer no longer reaches enough of the server.
  expect(Object.keys(statuses)).toEqual(
    expect.arrayContaining(['200', '204', '400', '403', '404', '405', '413', '415', '431']),
  );
  expect(growth).toBeLessThanOrEqual(1.1);
});

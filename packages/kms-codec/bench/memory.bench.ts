import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { median } from '@temporal-kms/scripts/figures';
import type { Payload } from '@temporalio/common';
import { KeyRules, KmsCodec } from '../src/index.ts';
import { FakeKeyService } from '../test/support/fake-key-service.ts';

/*
 * Measures whether memory grows with the number of payloads: encodes and decodes a million payloads under ten
 * thousand branch keys. Measures the heap after forced garbage collections, and compares the median of the
 * last quarter with the median of the second quarter.
 */

const { values } = parseArgs({
  options: {
    payloads: { type: 'string', default: '1000000' },
    keys: { type: 'string', default: '10000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log('node --expose-gc bench/memory.bench.ts [--payloads 1000000] [--keys 10000]');
  process.exit(0);
}
const collect = globalThis.gc;
if (!collect) throw new Error('Start it with node --expose-gc');

const encrypt = 'projects/bench/locations/global/keyRings/bench/cryptoKeys/bench';
const options = {
  rules: new KeyRules({ bench: { encrypt } }),
  keyService: new FakeKeyService(),
  namespace: 'bench',
};
const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: randomBytes(1024) };

const messages: Payload[] = [];
for (let n = 0; n < Number(values.keys); n += 1) {
  // Each codec creates a separate branch key.
  const writer = new KmsCodec({ ...options, limits: { maxDecryptionKeys: 1, maxEncryptionKeys: 1 } });
  messages.push(...(await writer.encode([payload])));
  await writer.close();
}

const codec = new KmsCodec(options);
const heaps: number[] = [];
const payloads = Number(values.payloads);
for (let done = 0; done < payloads; done += 100) {
  const batch = Array.from({ length: 50 }, () => messages[Math.floor(Math.random() * messages.length)] ?? {});
  await codec.decode(batch);
  await codec.encode(Array.from({ length: 50 }, () => payload));
  if (done % (payloads / 40) === 0) {
    collect();
    heaps.push(process.memoryUsage().heapUsed / 2 ** 20);
  }
}

const quarter = heaps.length / 4;
const [second, last] = [median(heaps.slice(quarter, 2 * quarter)), median(heaps.slice(3 * quarter))];
console.log(`${payloads} payloads of 1 KiB under ${values.keys} branch keys, heap after a forced collection`);
console.log(
  `second quarter ${second.toFixed(1)} MiB, last quarter ${last.toFixed(1)} MiB, ratio ${(last / second).toFixed(3)}`,
);
console.log(`rss ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`);
process.exitCode = last / second <= 1.1 ? 0 : 1;
await codec.close();

import { createSecretKey, randomBytes, webcrypto } from 'node:crypto';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { median } from '@temporal-kms/scripts/figures';
import { CloudKms, KeyRules, KmsCodec } from '../src/index.ts';
import { bareDecrypt, bareEncrypt, SampleCodec } from '@temporal-kms/testing/rivals';
import { benchCold } from './cold.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '25' },
    milliseconds: { type: 'string', default: '60' },
    cold: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/codec.bench.ts [--rounds 25] [--milliseconds 60 | --cold]\nPrints payloads per second for this library and its rivals, measured in interleaved rounds. Each ratio is the median of the ratios in all rounds.\nWith --cold: microseconds per call between other work, as in a worker.',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
const milliseconds = Number(values.milliseconds);

const emulator = await startEmulator({
  keys: ['projects/bench/locations/global/keyRings/bench/cryptoKeys/bench'],
});
const rules = new KeyRules({
  bench: { encrypt: 'projects/bench/locations/global/keyRings/bench/cryptoKeys/bench' },
});
const codec = new KmsCodec({
  rules,
  keyService: new CloudKms({ emulatorHost: emulator.address }),
  namespace: 'bench',
});
await codec.warm();

const raw = randomBytes(32);
const webKey = await webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt']);
const sample = new SampleCodec(webKey);
const bareKey = createSecretKey(raw);
const aad = randomBytes(160);

if (values.cold) {
  await benchCold(codec, bareKey, randomBytes(1024), rounds);
  await codec.close();
  await emulator.close();
  process.exit();
}

/** Makes calls for the given time, and returns the number of payloads per second. */
async function rate(payloadsPerCall: number, call: () => unknown): Promise<number> {
  const start = performance.now();
  let calls = 0;
  for (let elapsed = 0; elapsed < milliseconds; elapsed = performance.now() - start) {
    for (let i = 0; i < 10; i += 1) await call();
    calls += 10;
  }
  return (calls * payloadsPerCall * 1000) / (performance.now() - start);
}

const k = (n: number) => `${(n / 1000).toFixed(1)}k`;
const range = (n: number[]) => `${k(Math.min(...n))} / ${k(median(n))} / ${k(Math.max(...n))}`;

console.log(
  `node ${process.version}, ${rounds} rounds of ${milliseconds} ms, one data key; payloads/s min / median / max\n`,
);
console.log(
  '| size | way | ours | SDK sample (better of 1 and 100 per call) | bare node:crypto | ours : sample | ours : bare |',
);
console.log('|---|---|---|---|---|---|---|');
for (const size of [256, 1024, 16 * 1024, 256 * 1024]) {
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: randomBytes(size) };
  const hundred = Array.from({ length: 100 }, () => payload);
  const many = size > 16 * 1024 ? hundred.slice(0, 20) : hundred;
  const [encryptedOurs, encryptedSample] = [await codec.encode([payload]), await sample.encode(many)];
  const encryptedBare = bareEncrypt(bareKey, aad, payload.data);
  const ways = {
    encode: {
      ours: () => codec.encode([payload]),
      one: () => sample.encode([payload]),
      many: () => sample.encode(many),
      bare: () => bareEncrypt(bareKey, aad, payload.data),
    },
    decode: {
      ours: () => codec.decode(encryptedOurs),
      one: () => sample.decode(encryptedSample.slice(0, 1)),
      many: () => sample.decode(encryptedSample),
      bare: () => bareDecrypt(bareKey, aad, encryptedBare),
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    const ours = { rates: [] as number[], measure: () => rate(1, way.ours) };
    const sampleWay = {
      rates: [] as number[],
      measure: async () => Math.max(await rate(1, way.one), await rate(many.length, way.many)),
    };
    const bare = { rates: [] as number[], measure: () => rate(1, way.bare) };
    // The first round warms up the compiler and is not counted. Every other round reverses the order of the
    // candidates, because each candidate leaves garbage for the next one to collect.
    const order = [ours, sampleWay, bare];
    for (let round = -1; round < rounds; round += 1) {
      for (const one of round % 2 === 0 ? order : order.toReversed()) {
        const measured = await one.measure();
        if (round >= 0) one.rates.push(measured);
      }
    }
    // Compares rates within one round, because a virtual machine's speed changes from second to second.
    const ratio = (to: { readonly rates: readonly number[] }) =>
      median(to.rates.map((theirs, round) => (ours.rates[round] ?? 0) / theirs)).toFixed(2);
    console.log(
      `| ${size} B | ${name} | ${range(ours.rates)} | ${range(sampleWay.rates)} | ${range(bare.rates)} | ${ratio(sampleWay)} | ${ratio(bare)} |`,
    );
  }
}
await codec.close();
await emulator.close();

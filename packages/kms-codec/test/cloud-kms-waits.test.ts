import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CloudKms, KeyRules, type KmsCall, KmsCodec } from '../src/index.ts';
import { cryptoKey, inNamespace, json } from './support/codec.ts';

/* The number of calls to Cloud KMS and who waits for them, with Google's client and the emulator. */

const rule = { pay: { encrypt: cryptoKey('pay') } };
const context = inNamespace('pay');
const calls: KmsCall[] = [];
let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ keys: [cryptoKey('pay')] });
});
beforeEach(() => {
  emulator.reset();
  calls.length = 0;
});
afterAll(() => emulator.close());

function process(now: () => number = Date.now): KmsCodec & AsyncDisposable {
  const observer = { kmsCall: (call: KmsCall) => void calls.push(call) };
  const keyService = new CloudKms({ emulatorHost: emulator.address, observer });
  const codec = new KmsCodec({ rules: new KeyRules(rule), keyService, now });
  return Object.assign(codec, { [Symbol.asyncDispose]: () => codec.close() });
}

const callsOf = (operation: KmsCall['operation']) =>
  calls.filter((call) => call.operation === operation).length;

describe.each([1, 100, 10_000])('%i calls at once', (concurrent) => {
  it('make one call to Cloud KMS per data key, encoding and decoding', async () => {
    await using writer = process();
    await using other = process();
    const encrypted = await Promise.all(
      Array.from({ length: concurrent }, (_, i) => (i % 2 ? writer : other).encode([json(i)], context)),
    );
    const dataKeys = Math.min(concurrent, 2);
    expect(callsOf('wrap')).toBe(dataKeys);

    await using reader = process();
    await Promise.all(encrypted.map((payloads) => reader.decode(payloads, context)));
    expect(callsOf('unwrap')).toBe(dataKeys);
  });
});

it('never lets an encode wait for Cloud KMS during the refresh of a data key, at 2.5 s per call', async () => {
  let time = 0;
  await using codec = process(() => time);
  await codec.warm('pay');
  emulator.setLatency({ all: 2_500 });
  time = 0.8 * 3_600_000;
  let longest = 0;
  const until = performance.now() + 3_500;
  while (performance.now() < until) {
    const start = performance.now();
    await codec.encode([json('x')], context);
    longest = Math.max(longest, performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(callsOf('wrap')).toBe(2);
  expect(calls.at(-1)?.milliseconds).toBeGreaterThan(2_400);
  expect(longest).toBeLessThan(2_000);
});

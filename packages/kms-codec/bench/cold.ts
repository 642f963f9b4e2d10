import type { KeyObject } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import proto from '@temporalio/proto';
import { median, range } from '@temporal-kms/scripts/figures';
import { bareDecrypt, bareEncrypt } from '@temporal-kms/testing/rivals';
import type { KmsCodec } from '../src/index.ts';

/**
 * Number of bytes to touch between two calls: more than a core's caches hold, to simulate that a worker's other
 * work evicts the codec's data.
 */
const SWEPT_BYTES = 16 * 2 ** 20;
const CACHE_LINE_WORDS = 8;
/**
 * Number of calls of each candidate before the first round. A worker's code that runs for every task is
 * already optimized, so the measured code must be too.
 */
const WARM_UP_CALLS = 400;
const CALLS_PER_ROUND = 40;

const swept = new Float64Array(SWEPT_BYTES / Float64Array.BYTES_PER_ELEMENT);
const { History } = proto.temporal.api.history.v1;

/**
 * Returns a function that uses text, protobuf, maps, regular expressions and memory, as a worker does between
 * codec calls. The function returns a value, so that the compiler cannot optimize the work away.
 */
function makeOtherWork(): () => Promise<number> {
  const documents = Array.from({ length: 64 }, (_, at) =>
    JSON.stringify({
      id: `order-${at}`,
      lines: Array.from({ length: 20 }, (__, line) => ({ line, text: 'x'.repeat(at), price: line * at })),
      [`field${at}`]: { nested: [null, true, at, `${at}`] },
    }),
  );
  const history = History.encode({
    events: Array.from({ length: 20 }, (_, at) => ({
      activityTaskScheduledEventAttributes: {
        activityId: String(at),
        activityType: { name: 'charge' },
        taskQueue: { name: 'orders' },
        header: { fields: { trace: { data: new Uint8Array(64) } } },
      },
    })),
  }).finish();
  let turn = 0;
  return async () => {
    turn += 1;
    const parsed: unknown = JSON.parse(documents[turn % documents.length] ?? '{}');
    const text = JSON.stringify(parsed).replaceAll(
      /"(line|price)":(\d+)/g,
      (_, name, number) => `${name}=${number}`,
    );
    const { events } = History.decode(history);
    const counts = new Map<string, number>();
    for (const word of text.split(/[,:{}[\]]/)) counts.set(word, (counts.get(word) ?? 0) + 1);
    let sum = counts.size + events.length + [...counts.values()].toSorted((a, b) => a - b).length;
    for (let at = turn % CACHE_LINE_WORDS; at < swept.length; at += CACHE_LINE_WORDS) {
      const value = (swept[at] ?? 0) + 1;
      swept[at] = value;
      sum += value;
    }
    await setImmediate();
    return sum;
  };
}

interface Way {
  readonly call: () => unknown;
  readonly micros: number[];
}

/**
 * Measures individual calls with 1 KiB, alternating between this library and the bare cipher, with other work
 * between the calls. Prints a table.
 */
export async function benchCold(
  codec: KmsCodec,
  bareKey: KeyObject,
  data: Uint8Array,
  rounds: number,
): Promise<void> {
  const otherWork = makeOtherWork();
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data };
  const context = { type: 'workflow', namespace: 'bench', workflowId: 'order-1' } as const;
  const aad = new Uint8Array(160);
  const encrypted = await codec.encode([payload], context);
  const bareEncrypted = bareEncrypt(bareKey, aad, data);
  const operations = {
    encode: { ours: () => codec.encode([payload], context), bare: () => bareEncrypt(bareKey, aad, data) },
    decode: {
      ours: () => codec.decode(encrypted, context),
      bare: () => bareDecrypt(bareKey, aad, bareEncrypted),
    },
  };
  console.log(
    `node ${process.version}, ${rounds} rounds of ${CALLS_PER_ROUND} calls with 1 KiB, other work before each call; µs per call, ` +
      'min / median / max of the rounds’ medians\n',
  );
  console.log('| way | ours | bare node:crypto | ours above the cipher |\n|---|---|---|---|');
  for (const [name, { ours, bare }] of Object.entries(operations)) {
    const [own, cipher]: [Way, Way] = [
      { call: ours, micros: [] },
      { call: bare, micros: [] },
    ];
    await measure([own, cipher], WARM_UP_CALLS, otherWork);
    for (let round = 0; round < rounds; round += 1) {
      const results = await measure([own, cipher], CALLS_PER_ROUND, otherWork);
      for (const [way, micros] of results) way.micros.push(median(micros));
    }
    const above = own.micros.map((micros, round) => micros - (cipher.micros[round] ?? 0));
    console.log(`| ${name} | ${range(own.micros, 1)} | ${range(cipher.micros, 1)} | ${range(above, 1)} |`);
  }
}

/** Calls the candidates in turn, and returns the duration of each call in microseconds. */
async function measure(
  ways: readonly Way[],
  calls: number,
  otherWork: () => Promise<number>,
): Promise<Map<Way, number[]>> {
  const results = new Map(ways.map((way) => [way, [] as number[]]));
  for (let call = 0; call < calls; call += 1) {
    for (const way of call % 2 === 0 ? ways : ways.toReversed()) {
      await otherWork();
      const start = process.hrtime.bigint();
      await way.call();
      results.get(way)?.push(Number(process.hrtime.bigint() - start) / 1_000);
    }
  }
  return results;
}

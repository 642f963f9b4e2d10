import { median } from '@temporal-kms/scripts/figures';
import { expect, it } from 'vitest';
import type { TemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { collectGarbage } from '../support/memory.ts';
import { pageOf, signaled } from '../support/planted-run.ts';
import { appWith, headers, noTemporal, plain, post, startKms } from '../support/stack.ts';
import { lines } from '../support/temporal.ts';
import { RUN } from '../support/routes.ts';

// With `SLOW=1`, the history is the longest that Temporal stores; otherwise, it is half as long. The tests
// generate the history page by page on request.
const LENGTH = process.env['SLOW'] ? 51_200 : 25_600;
const PAGE = 256;
const MiB = 1024 * 1024;

const kms = forFile(await startKms());
const [encrypted] = await kms.codec.encode([plain('x'.repeat(1_000))], { namespace: 'payments' });

// Copies the bytes, because bytes from the network are new in each response.
const copy = () => ({ metadata: encrypted!.metadata!, data: Buffer.from(encrypted!.data!) });
let pagesRead = 0;
const history: TemporalService['history'] = async ({ nextPageToken }) => {
  pagesRead += 1;
  const first = nextPageToken?.length ? Number(Buffer.from(nextPageToken).toString()) : 1;
  const events = Array.from({ length: PAGE }, (_, n) => signaled(first + n, copy()));
  const more = first + PAGE <= LENGTH;
  return pageOf(events, more ? Buffer.from(String(first + PAGE)) : undefined);
};
const described: any = { workflowExecutionInfo: { historyLength: LENGTH } };
const temporal: TemporalService = { ...noTemporal, history, describe: async () => described };

const used = (): number => {
  // Collects garbage twice, because V8 frees buffers only after the collection that finds the buffers
  // unreachable.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/**
 * Measures memory four times in the second quarter and four times in the last quarter of the history. The other
 * quarters need no measurement, which takes a large part of the test's time.
 */
function newMemory() {
  const second: number[] = [];
  const last: number[] = [];
  let steps = 0;
  return {
    /** Measures memory at most once in each sixteenth of the history, and only in the two quarters. */
    look: (events: number): void => {
      const step = Math.min(Math.floor((events * 16) / LENGTH), 16);
      if (step === steps) return;
      steps = step;
      if (step > 4 && step <= 8) second.push(used());
      if (step > 12) last.push(used());
    },
    /** Expects the median of the last quarter to exceed the median of the second quarter by less than 5 %. */
    expectNoGrowth: (): void => {
      expect([second.length, last.length]).toEqual([4, 4]);
      const [before, after] = [median(second), median(last)];
      expect(after, `from ${before} to ${after} bytes`).toBeLessThan(before * 1.05);
    },
  };
}

const app = () => appWith(kms, { temporal, maxHistoryBytes: 4 * MiB });

it(`streams ${LENGTH} events in constant memory, and sends the first page before it reads further pages`, async () => {
  const memory = newMemory();
  let events = 0;
  let readBefore: number | undefined;
  const response = await app().request(`${RUN}/history`, { headers });
  for await (const frame of lines<any>(response, { parse: (value) => value })) {
    if (frame.type !== 'events') continue;
    readBefore ??= pagesRead;
    events += frame.events.length;
    memory.look(events);
  }
  expect(events).toBe(LENGTH);
  // The next page may already be in flight.
  expect(readBefore).toBeLessThanOrEqual(2);
  memory.expectNoGrowth();
});

it(`exports ${LENGTH} decoded payloads in constant memory`, async () => {
  const response = await post(app(), `${RUN}/history:export`, { form: 'decoded' });
  const memory = newMemory();
  let bytes = 0;
  let lineEnds = 0;
  for await (const chunk of response.body!) {
    bytes += chunk.length;
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lineEnds += 1;
    memory.look(lineEnds);
  }
  expect(lineEnds).toBe(LENGTH + 2);
  expect(bytes).toBeGreaterThan(LENGTH * 1_000);
  memory.expectNoGrowth();
});

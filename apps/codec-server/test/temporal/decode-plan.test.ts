import { payloadRefOf } from '@temporal-kms/codec-api';
import { lookupType, writeMessage } from '@temporal-kms/histories/payloads';
import { describe, expect, it } from 'vitest';
import { placeholder } from '../../src/history/payload-stub.ts';
import { planOf } from '../../src/temporal/decode-plan.ts';
import { cut, MAX_VALUES, measure } from '../../src/temporal/wire-scan.ts';
import { type DenseField, denseFields, sample } from '../support/dense.ts';
import { collectGarbage } from '../support/memory.ts';

const MiB = 2 ** 20;

/** Returns every field, or only the first field of each class. */
const fieldsOf = (name: string): DenseField[] =>
  process.env['SLOW'] === '1' ? denseFields(name) : sample(denseFields(name));

/** Returns how many bytes the result of `make` takes. */
function allocated(make: () => unknown): number {
  collectGarbage();
  const before = process.memoryUsage();
  const kept = make();
  collectGarbage();
  const after = process.memoryUsage();
  expect(kept).toBeDefined();
  return after.heapUsed - before.heapUsed + (after.external - before.external);
}

const SIZE = 64 * 1024;
/** How much memory the test itself may allocate. */
const NOISE = 256 * 1024;

describe.each([
  'temporal.api.history.v1.HistoryEvent',
  'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse',
  'temporal.api.workflowservice.v1.ListWorkflowExecutionsResponse',
])('%s', (name) => {
  const type = lookupType(name).setup();
  const plan = planOf(name);
  const fields = fieldsOf(name);

  it(
    'is charged, for each field, at least the memory that the field’s decoded value and JSON take',
    { timeout: 120_000 },
    () => {
      expect(fields.length).toBeGreaterThan(3);
      const tooCheap = fields.flatMap(({ path, density, bytes }) => {
        const encoded = bytes(SIZE);
        const charged = measure(encoded, plan).bytes + encoded.length;
        const taken = allocated(() => {
          const message = type.decode(cut(encoded, plan, { values: MAX_VALUES, bytes: 64 * MiB }));
          const json = writeMessage(name, message, () => placeholder(payloadRefOf(1, 1)));
          return { message, json, text: JSON.stringify(json) };
        });
        return charged + NOISE < taken ? [`${path} (${density}): ${charged} of ${taken} bytes`] : [];
      });
      expect(tooCheap).toEqual([]);
    },
  );

  it(
    'is truncated to the maximum number of values, whichever field contains them',
    { timeout: 120_000 },
    () => {
      const lists = fields.filter(({ density }) => density !== 'text' && density !== 'bytes');
      for (const { path, bytes } of lists) {
        const kept = cut(bytes(MAX_VALUES * 4), plan, { values: MAX_VALUES, bytes: 64 * MiB });
        const { values, bytes: memory } = measure(kept, plan);
        expect([values <= MAX_VALUES, memory < 80 * MiB], path).toEqual([true, true]);
      }
    },
  );
});

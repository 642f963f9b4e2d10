import proto, { type temporal } from '@temporalio/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasTooManyEntries } from '../../src/json/payload.ts';
import { MemoryBudget } from '../../src/memory.ts';
import {
  boundResponses,
  decodeResponse,
  decodeWhole,
  rawHistoryOf,
  responseMemory,
} from '../../src/temporal/bounded-responses.ts';

const { GetWorkflowExecutionHistoryResponse: History, DescribeWorkflowExecutionResponse: Description } =
  proto.temporal.api.workflowservice.v1;
type Payload = temporal.api.common.v1.IPayload;

beforeAll(boundResponses);

const MiB = 2 ** 20;
/** protobufjs accepts numbers for 64-bit integers when it encodes. */
const seven: any = 7;
const memory = (bytes = 256 * MiB) => {
  const budget = new MemoryBudget(bytes, bytes);
  return { budget, memory: responseMemory(budget.lease()) };
};

const payload = (entries: number): Payload => ({
  metadata: Object.fromEntries(Array.from({ length: entries }, (_, n) => [`k${n}`, Buffer.from([n % 256])])),
  data: Buffer.from('data'),
});
const memo = (fields: number): Uint8Array =>
  Description.encode({
    workflowExecutionInfo: {
      historyLength: seven,
      memo: { fields: Object.fromEntries(Array.from({ length: fields }, (_, n) => [`f${n}`, {}])) },
    },
  }).finish();

describe('a Temporal response', () => {
  it('is not decoded before its memory is reserved', () => {
    const { budget, memory: room } = memory(100 * 1024);
    expect(() => decodeResponse(Description.decode(memo(1_000)), { ...room, share: 10 * MiB })).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
    expect(budget.held).toBe(0);
    const { budget: larger, memory: enough } = memory();
    decodeResponse(Description.decode(memo(1_000)), enough);
    expect(larger.held).toBeGreaterThan(1_000 * 1_024);
  });

  it('is decoded when other code that uses the client reads one of its fields', () => {
    expect(Number(Description.decode(memo(1)).workflowExecutionInfo?.historyLength)).toBe(7);
  });

  it('keeps one entry more than the limit if a payload has too many entries', () => {
    const failure = { message: 'm', cause: { encodedAttributes: payload(1_000) } };
    const bytes = Description.encode({
      workflowExecutionInfo: { memo: { fields: { good: payload(1), bad: payload(1_000) } } },
      pendingActivities: [{ lastFailure: failure }],
    }).finish();
    const whole = decodeWhole(Description.decode(bytes), memory().memory);
    const { workflowExecutionInfo: info, pendingActivities } = whole!;
    expect(info?.memo?.fields?.['good']).toMatchObject(payload(1));
    const bad = info?.memo?.fields?.['bad'];
    expect([Object.keys(bad?.metadata ?? {}).length, hasTooManyEntries(bad ?? {})]).toEqual([65, true]);
    const nested = pendingActivities?.[0]?.lastFailure?.cause?.encodedAttributes?.metadata;
    expect(Object.keys(nested ?? {})).toHaveLength(65);
  });

  it.each([
    ['50,000 values', () => memory().memory, 50_000],
    ['half of the memory that one request may hold', () => memory(12 * MiB).memory, 10_000],
    ['2,000 values if no memory is reserved', () => undefined, 2_000],
  ])('is cut to %s, and keeps fields that are not lists or maps', (_, room, most) => {
    const { workflowExecutionInfo: info } = decodeResponse(Description.decode(memo(60_000)), room());
    const { historyLength, memo: cut } = info!;
    const fields = Object.keys(cut!.fields!).length;
    expect([Number(historyLength), fields <= most, fields > most / 20]).toEqual([7, true, true]);
    expect(decodeWhole(Description.decode(memo(60_000)), memory().memory)).toBeUndefined();
  });

  it('loses its malformed fields if `decodeResponse` decodes it, but throws if other code reads a field', () => {
    expect(() =>
      decodeResponse(Description.decode(Buffer.from([0x12, 0x02, 0x08, 0x80])), memory().memory),
    ).not.toThrow();
    expect(() => Description.decode(Buffer.from([0x0a, 0xff])).workflowExecutionInfo).toThrow(RangeError);
  });

  it('contains a history’s events in encoded form', () => {
    const events = [{ eventId: seven }];
    const bytes = History.encode({ history: { events }, nextPageToken: Buffer.from('next') }).finish();
    const { history, rawHistory, nextPageToken } = rawHistoryOf(History.decode(bytes));
    expect([history, String(nextPageToken)]).toEqual([undefined, 'next']);
    const [blob] = rawHistory!;
    expect(Buffer.from(blob!.data!)).toEqual(
      Buffer.from(proto.temporal.api.history.v1.History.encode({ events }).finish()),
    );
  });
});

import proto, { type temporal } from '@temporalio/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasTooManyEntries } from '../../src/json/payload.ts';
import { boundHistory, boundResponses, decodedHistoryBytes } from '../../src/temporal/bounded-responses.ts';

const { GetWorkflowExecutionHistoryResponse: History, DescribeWorkflowExecutionResponse: Description } =
  proto.temporal.api.workflowservice.v1;
type Payload = temporal.api.common.v1.IPayload;

beforeAll(boundResponses);

const payload = (entries: number): Payload => ({
  metadata: Object.fromEntries(Array.from({ length: entries }, (_, n) => [`k${n}`, Buffer.from([n % 256])])),
  data: Buffer.from('data'),
});
const history = (payloads: Payload[]): Uint8Array =>
  History.encode({
    history: {
      events: [
        {
          workflowExecutionStartedEventAttributes: { input: { payloads } },
        },
      ],
    },
    nextPageToken: Buffer.from('next'),
  }).finish();
const inputOf = (bytes: Uint8Array): Payload[] =>
  History.decode(bytes).history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];

describe('decoding a response of Temporal', () => {
  it('keeps one surplus entry of a payload with too many, and all others unchanged', () => {
    const bytes = history([
      payload(2),
      payload(200_000),
      payload(64),
      { externalPayloads: Array.from({ length: 500 }, () => ({})) },
    ]);
    const [small, large, full, external] = inputOf(bytes);
    expect(small).toMatchObject(payload(2));
    expect(Object.keys(large?.metadata ?? {})).toHaveLength(65);
    expect(large?.data).toEqual(Buffer.from('data'));
    expect([small, large, full, external].map((one) => hasTooManyEntries(one ?? {}))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(full).toMatchObject(payload(64));
    expect(History.decode(bytes).nextPageToken).toEqual(Buffer.from('next'));
  });

  it('limits payloads in maps, failures and memos', () => {
    const failure = { message: 'm', cause: { encodedAttributes: payload(1_000) } };
    const bytes = Description.encode({
      workflowExecutionInfo: { memo: { fields: { good: payload(1), bad: payload(1_000) } } },
      pendingActivities: [{ lastFailure: failure }],
    }).finish();
    const { workflowExecutionInfo: info, pendingActivities } = Description.decode(bytes);
    expect(info?.memo?.fields?.['good']).toMatchObject(payload(1));
    expect(Object.keys(info?.memo?.fields?.['bad']?.metadata ?? {})).toHaveLength(65);
    expect(
      Object.keys(pendingActivities?.[0]?.lastFailure?.cause?.encodedAttributes?.metadata ?? {}),
    ).toHaveLength(65);
  });

  it.each([
    ['payloads', () => history(Array.from({ length: 60_000 }, () => ({})))],
    [
      'fields of a memo',
      () =>
        Description.encode({
          workflowExecutionInfo: {
            memo: { fields: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`f${n}`, {}])) },
          },
        }).finish(),
    ],
  ])('fails with too_large for more than 50,000 %s', (_, make) => {
    const bytes = make();
    expect(() => (bytes.length > 200_000 ? Description : History).decode(bytes)).toThrow('50000');
  });

  it('leaves invalid protobuf to the decoder', () => {
    expect(() => History.decode(Buffer.from([0x0a, 0xff]))).toThrow(RangeError);
  });
});

const encoded = (payloads: Payload[]): Uint8Array =>
  proto.temporal.api.history.v1.History.encode({
    events: [{ workflowExecutionStartedEventAttributes: { input: { payloads } } }],
  }).finish();

describe('a history outside of a response', () => {
  it('is limited like a response', () => {
    const { events } = proto.temporal.api.history.v1.History.decode(boundHistory(encoded([payload(1_000)])));
    const [input] = events[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    expect(Object.keys(input?.metadata ?? {})).toHaveLength(65);
    expect(() => boundHistory(encoded(Array.from({ length: 60_000 }, () => ({}))))).toThrow('50000');
  });

  it('is estimated to take more memory for many small payloads than for a large one', () => {
    const many = encoded(Array.from({ length: 10_000 }, () => ({})));
    const large = encoded([{ data: Buffer.alloc(many.length) }]);
    expect(decodedHistoryBytes(many)).toBeGreaterThan(10_000 * 1_024);
    expect(decodedHistoryBytes(large)).toBeLessThan(2 * large.length);
  });
});

import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { queryFailure } from '../../src/temporal/query-failure.ts';

const { Status } = proto.google.rpc;
const { QueryFailedFailure } = proto.temporal.api.errordetails.v1;

/** Returns an error like those that Temporal's client throws. */
function grpcError(code: number, details: string, status?: Uint8Array): HttpError {
  const metadata = { get: () => (status === undefined ? [] : [Buffer.from(status)]) };
  const cause = Object.assign(new Error(details), { code, details, metadata });
  return new HttpError(503, 'temporal_unavailable', 'x', { cause });
}

const statusOf = (value: Uint8Array, name = 'temporal.api.errordetails.v1.QueryFailedFailure') =>
  Status.encode({ code: 3, details: [{ type_url: `type.googleapis.com/${name}`, value }] }).finish();

const thrown = (error: unknown): unknown => {
  try {
    return queryFailure(error);
  } catch (caught) {
    return caught;
  }
};

describe('queryFailure', () => {
  it('returns the worker’s failure, or only a message if the SDK sends no failure', () => {
    const failure = { message: 'Encoded failure', encodedAttributes: { data: Buffer.from('x') } };
    const encoded = statusOf(QueryFailedFailure.encode({ failure }).finish());
    expect(queryFailure(grpcError(3, 'm', encoded))).toMatchObject({
      failure: { message: 'Encoded failure', encodedAttributes: {} },
    });
    const empty = statusOf(QueryFailedFailure.encode({}).finish());
    expect(queryFailure(grpcError(3, 'm', empty))).toEqual({ failure: { message: 'm' } });
  });

  it.each([
    ['no details', undefined],
    ['other details', statusOf(Buffer.of(), 'temporal.api.errordetails.v1.NotFoundFailure')],
    ['details that are not protobuf', Buffer.from('nonsense \xff')],
    ['a failure that is not protobuf', statusOf(Buffer.from([0x0a, 0xff]))],
  ])('throws Temporal’s own error with %s', (_, status) => {
    const error = grpcError(3, 'm', status);
    expect(thrown(error)).toBe(error);
  });

  it.each([
    [4, 'Deadline exceeded', 'no_worker'],
    [1, 'Call cancelled', 'no_worker'],
    [9, 'no poller seen for task queue recently, worker may be down', 'no_worker'],
    [9, 'Cannot query workflow due to Workflow Task in failed state.', 'bad_request'],
    [14, 'connection refused', 'temporal_unavailable'],
  ])('maps gRPC status %i with the message “%s” to the error code %s', (code, details, expected) => {
    expect(thrown(grpcError(code, details))).toMatchObject({ code: expected });
  });
});

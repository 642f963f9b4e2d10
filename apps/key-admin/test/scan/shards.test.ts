import { describe, expect, it } from 'vitest';
import { toFailure } from '../../src/scan/on-temporal/failures.ts';
import { OWN_PAYLOAD } from '../../src/scan/own-runs.ts';
import { type Checkpoint, scanRange } from '../../src/scan/on-temporal/scan-range.ts';
import { readRun } from '../../src/scan/read-run.ts';
import { type RangeSource, ScanError } from '../../src/temporal/scan-source.ts';
import { StoredObjects } from '../../src/scan/stored-objects.ts';
import { KEY, payloadOf } from '../support/messages.ts';
import { hashOf, startStore } from '../support/stored.ts';

const run = (runId: string, isOpen = false) => ({
  workflowId: 'w',
  runId,
  isOpen,
  startTime: 0,
  closeTime: undefined,
});
const input = (version: number) => ({
  workflowExecutionStartedEventAttributes: { input: { payloads: [payloadOf({ version, named: true })] } },
});

/** Returns a source with two pages of one run each. The first `failures` reads of the second run fail. */
function failing(kind: ScanError['kind'], failures: number) {
  const reads: string[] = [];
  const source: RangeSource = {
    countRuns: async () => 2,
    describeRun: async () => ({}),
    runPage: async (_, { length }) =>
      length === 0
        ? { runs: [run('first')], nextPageToken: Buffer.from('2') }
        : { runs: [run('second')], nextPageToken: Buffer.alloc(0) },
    async *history({ runId }) {
      reads.push(runId);
      if (runId === 'second' && reads.length <= failures + 1) throw new ScanError(kind, 'on demand');
      yield [input(2), { workflowExecutionTerminatedEventAttributes: {} }];
    },
  };
  let from: Checkpoint | undefined;
  const attempt = (isLastAttempt: boolean) =>
    scanRange({
      source,
      range: { from: 0 },
      keyIds: [KEY],
      state: undefined,
      from,
      isLastAttempt,
      checkpoint: (checkpoint) => (from = checkpoint),
      signal: new AbortController().signal,
    });
  return { attempt, reads };
}

describe('a shard scan', () => {
  it('names an object that it could not read, but omits the workflow id from the name', async () => {
    const store = await startStore('payments');
    const object = await store.store(payloadOf({ version: 1, named: true }), { workflowId: 'order-4711' });
    await store.remove(object);
    const [namespace, limiter] = ['payments', { removeTokens: async () => undefined }];
    const { gaps, storage } = await scanRange({
      source: {
        countRuns: async () => 1,
        describeRun: async () => ({}),
        runPage: async () => ({ runs: [run('first')], nextPageToken: Buffer.alloc(0) }),
        async *history() {
          yield [{ workflowExecutionStartedEventAttributes: { input: { payloads: [object.reference] } } }];
        },
      },
      range: { from: 0 },
      keyIds: [],
      state: undefined,
      references: new StoredObjects({ storage: store.open(), namespace, limiter, known: new Map() }),
      from: undefined,
      isLastAttempt: false,
      checkpoint: () => undefined,
      signal: new AbortController().signal,
    });
    expect(gaps).toMatchObject([
      {
        reason: 'storage_not_found',
        objects: [{ object: `…/${hashOf(object.bytes)}` }],
        example: { runId: 'first' },
      },
    ]);
    expect([storage, JSON.stringify(gaps).includes('4711')]).toEqual([{ objects: 1, requests: 1 }, false]);
  });

  it('continues at the checkpoint, without a gap, after an attempt in which Temporal did not answer', async () => {
    const { attempt, reads } = failing('unavailable', 1);
    await expect(attempt(false)).rejects.toThrow('on demand');
    const part = await attempt(false);
    expect([part.gaps, part.looked.closed]).toMatchObject([[], { status: 'complete', histories: 2 }]);
    expect(reads).toEqual(['first', 'second', 'second']);
  });

  it.each([
    ['Temporal does not answer in the last attempt', 'unavailable', true],
    ['a history cannot be read', 'unreadable', false],
    ['the credentials do not permit reading a history', 'not_permitted', false],
  ] as const)('has a gap if %s', async (_, kind, isLastAttempt) => {
    const part = await failing(kind, 9).attempt(isLastAttempt);
    expect(part.gaps).toMatchObject([{ kind, place: 'closed', count: 1 }]);
    expect(part.looked.closed).toMatchObject({ status: 'partial', histories: 1 });
  });
});

describe('the failure that Temporal stores', () => {
  it('contains no detail of an unexpected error', () => {
    const error = new Error('canary', { cause: new Error('canary') });
    const failure = toFailure(error);
    expect(JSON.stringify([failure, failure.message, failure.stack, failure.cause ?? null])).not.toContain(
      'canary',
    );
    expect([failure.type, failure.nonRetryable]).toEqual(['unreadable', false]);
  });

  it.each([
    ['not_permitted', true],
    ['unavailable', false],
  ] as const)(
    'contains an expected error’s message, and ends retries if they cannot help: %s',
    (kind, isFinal) => {
      const failure = toFailure(new ScanError(kind, 'Temporal refuses', new Error('canary')));
      expect(failure).toMatchObject({ type: kind, message: 'Temporal refuses', nonRetryable: isFinal });
      expect(failure.cause).toBeUndefined();
    },
  );
});

describe('a plaintext payload with a scan’s metadata', () => {
  const marked = { metadata: { encoding: Buffer.from('json/plain'), [OWN_PAYLOAD]: Buffer.from('1') } };
  const read = (type: string, isOpen: boolean, pending: object = {}) =>
    readRun(
      {
        describeRun: async () => ({ workflowExecutionInfo: { type: { name: type } }, ...pending }),
        async *history() {
          const payloads = [{ ...marked, data: Buffer.from('"text"') }];
          yield [
            {
              workflowExecutionStartedEventAttributes: { workflowType: { name: type }, input: { payloads } },
            },
          ];
        },
      },
      run('r', isOpen),
    );

  it.each([true, false])('is counted in a run that is not part of a scan (open: %s)', async (isOpen) => {
    const found = await read('payment', isOpen);
    expect([...found!.summary.traits]).toEqual([['{"is":"plaintext"}', 1]]);
  });

  it('is counted in the pending work of a run that is not part of a scan', async () => {
    const details = { payloads: [{ ...marked, data: Buffer.from('"text"') }] };
    const found = await read('payment', true, { pendingActivities: [{ heartbeatDetails: details }] });
    expect([...found!.summary.traits]).toEqual([['{"is":"plaintext"}', 2]]);
  });

  it.each([true, false])('is not counted in a run that is part of a scan (open: %s)', async (isOpen) => {
    expect(await read('temporalKmsScan', isOpen)).toBeUndefined();
  });
});

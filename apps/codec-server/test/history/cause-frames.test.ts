import { randomUUID } from 'node:crypto';
import type { CauseFrame, WorkflowSummary } from '@temporal-kms/codec-api';
import { failureConverter } from '@temporal-kms/kms-codec/failure-converter';
import { defaultPayloadConverter } from '@temporalio/common';
import { encodeErrorToFailure } from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js';
import proto from '@temporalio/proto';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { causeFrames, isSampled } from '../../src/history/cause-frames.ts';
import { readFailedRun } from '../../src/history/failed-run.ts';
import { KmsCallBudget } from '../../src/history/stream-limits.ts';
import { anyNamespace } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { MemoryBudget } from '../../src/memory.ts';
import { lifetimeWith } from '../support/memory.ts';
import { damaged, keys, type Payload, plain, sealedApart, startKms } from '../support/stack.ts';

const log = pino({ level: 'silent' });
const kms = forFile(await startKms());

const RUNS = 100;
const sealed = await sealedApart(kms, RUNS);

const summaries = Array.from({ length: RUNS }, (): WorkflowSummary => ({
  workflowId: 'w',
  runId: randomUUID(),
  type: 'order',
  taskQueue: 'q',
  status: 'Failed',
  closeTime: '2030-01-31T12:00:00Z',
  historyLength: 3,
  historySizeBytes: 300,
  searchAttributes: { BuildIds: ['unversioned', 'unversioned:1.4.2'] },
  memo: [],
}));
const [first] = summaries;

/**
 * Returns a run's last event, with this encrypted message and stack trace.
 */
const failedWith = (encodedAttributes: Payload): any =>
  failed({ message: 'Encoded failure', encodedAttributes, applicationFailureInfo: { type: 'Declined' } });

/** Returns the last event of a run that failed with this failure. */
function failed(failure: any): any {
  const ids: any = { eventId: 3, taskId: 3 };
  return proto.temporal.api.history.v1.HistoryEvent.create({
    ...ids,
    eventType: proto.temporal.api.enums.v1.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    workflowExecutionFailedEventAttributes: { failure },
  });
}

interface Options {
  readonly codec?: typeof kms.codec;
  readonly after?: string;
  readonly lastEvent?: (run: { readonly runId: string }) => Promise<any>;
  readonly end?: () => Promise<void>;
}

async function frames({
  codec,
  after,
  lastEvent,
  end = async () => undefined,
}: Options): Promise<CauseFrame[]> {
  const lifetime = lifetimeWith();
  const budget = codec && new KmsCallBudget(codec);
  const record: any = { ...anyNamespace, done: () => undefined, refused: () => undefined, end };
  const reader: any = {
    lastEvent:
      lastEvent ??
      (async ({ runId }: { runId: string }) =>
        failedWith(sealed[summaries.findIndex((run) => run.runId === runId)]!)),
  };
  const decrypting: any = codec && budget && { codec, log, budget, begin: async () => record };
  return Array.fromAsync(
    causeFrames({
      log,
      lifetime,
      after,
      start: { total: RUNS, share: 1, failingTasks: true },
      page: async (token) => ({ runs: summaries, token, next: undefined }),
      read: (run) =>
        readFailedRun(run, {
          namespace: 'payments',
          reader,
          inspect: (payload, context) => kms.codec.inspect(payload, context),
          lifetime,
          decrypting,
        }),
      kmsCalls: () => budget?.used ?? 0,
      stop: () => undefined,
    }),
  );
}

const found = (all: readonly CauseFrame[]) => all.flatMap((frame) => (frame.type === 'run' ? [frame] : []));

describe('causeFrames', () => {
  it('yields the type and build of each run without any call to Cloud KMS', async () => {
    const before = kms.emulator.calls.count('Decrypt');
    const all = await frames({});
    expect(all[0]).toEqual({ type: 'start', total: RUNS, share: 1, failingTasks: true });
    expect(found(all).map(({ runId }) => runId)).toEqual(summaries.map(({ runId }) => runId));
    expect(found(all)[0]).toMatchObject({
      workflowType: 'order',
      status: 'Failed',
      build: '1.4.2',
      fingerprint: { parts: { type: 'Declined', place: 'workflow order', frames: [] } },
      message: { status: 'locked', ref: '3:0' },
    });
    expect(new Set(found(all).map(({ fingerprint }) => fingerprint.id)).size).toBe(1);
    expect(all.at(-1)).toMatchObject({ type: 'end', reason: 'complete', runs: RUNS, failed: 0, kmsCalls: 0 });
    expect(kms.emulator.calls.count('Decrypt')).toBe(before);
  });

  it('ends after 64 Cloud KMS calls; the next request continues without skipping or repeating a run', async () => {
    await using other = kms.another();
    const before = kms.emulator.calls.count('Decrypt');
    const part = await frames({ codec: other.codec });
    const end = part.at(-1)!;
    expect(end).toMatchObject({ type: 'end', reason: 'limit', runs: 64, kmsCalls: 64 });
    expect(kms.emulator.calls.count('Decrypt') - before).toBe(64);
    const rest = await frames({ codec: other.codec, after: end.type === 'end' ? end.after : '' });
    expect(rest.at(-1)).toMatchObject({ reason: 'complete', runs: 36 });
    expect([...found(part), ...found(rest)].map(({ runId }) => runId)).toEqual(
      summaries.map(({ runId }) => runId),
    );
  });

  it('counts undecryptable failures by reason code, and keeps their types and steps', async () => {
    const all = await frames({ codec: kms.codec, lastEvent: async () => failedWith(damaged(sealed[0]!)) });
    expect(all.at(-1)).toMatchObject({ reason: 'complete', unreadable: { integrity_failed: RUNS } });
    expect(found(all)[0]).toMatchObject({
      message: { status: 'unreadable', reason: 'integrity_failed' },
      fingerprint: { parts: { type: 'Declined' } },
    });
  });

  it('names the codec’s error, not the gRPC status that caused it, whether or not the message is decrypted', async () => {
    await using other = kms.another();
    const version = `${keys.payments}/cryptoKeyVersions/1`;
    const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
    await kms.emulator.setVersionState(version, 'DISABLED');
    const error: unknown = await other.codec.decode([sealed[0]!], context).catch((thrown: unknown) => thrown);
    await kms.emulator.setVersionState(version, 'ENABLED');
    const converters = { failureConverter, payloadConverter: defaultPayloadConverter };
    const failure = await encodeErrorToFailure({ ...converters, payloadCodecs: [kms.codec] }, error, context);
    expect(failure.cause).toBeTruthy();
    const lastEvent = async () => failed(failure);
    const type = 'KmsCodecError:key_disabled';
    expect(found(await frames({ lastEvent }))[0]).toMatchObject({
      message: { status: 'locked', ref: '3:1' },
      fingerprint: { parts: { type } },
    });
    expect(found(await frames({ lastEvent, codec: kms.codec }))[0]).toMatchObject({
      message: {
        status: 'readable',
        text: `${keys.payments} version 1 cannot be used: its state is DISABLED`,
      },
      fingerprint: { parts: { type } },
    });
  });

  it('skips a run that no longer exists, and ends after four missing runs in a row', async () => {
    const gone = new HttpError(404, 'not_found', 'Temporal does not have it.');
    const event = failedWith(sealed[0]!);
    const one = await frames({
      lastEvent: async ({ runId }) => {
        if (runId === first!.runId) throw gone;
        return event;
      },
    });
    expect(one.at(-1)).toMatchObject({ reason: 'complete', runs: RUNS - 1, failed: 1 });
    const all = await frames({ lastEvent: () => Promise.reject(gone) });
    expect(all.at(-1)).toMatchObject({ reason: 'error', runs: 0, failed: 4, message: gone.message });
  });

  it('leaves out a run that did not fail', async () => {
    const all = await frames({ lastEvent: async () => undefined });
    expect(all.at(-1)).toMatchObject({ reason: 'complete', runs: 0, failed: 0 });
  });

  it('yields no plaintext of a run whose audit outcome cannot be written', async () => {
    const full = new HttpError(503, 'audit_unavailable', 'The audit cannot be written.');
    const all = await frames({ codec: kms.codec, end: () => Promise.reject(full) });
    expect(found(all)).toEqual([]);
    expect(all.at(-1)).toMatchObject({ reason: 'error' });
  });
});

describe('readFailedRun', () => {
  it('keeps the memory for a decrypted failure reserved until the cause has been read from the failure', async () => {
    const memory = new MemoryBudget(2 ** 28);
    const held: number[] = [];
    const end = async () => void held.push(memory.held);
    const record: any = { ...anyNamespace, done: () => undefined, refused: () => undefined, end };
    const reader: any = { lastEvent: async () => failedWith(sealed[0]!) };
    const { codec } = kms;
    const read = await readFailedRun(first!, {
      namespace: 'payments',
      reader,
      inspect: (payload, context) => codec.inspect(payload, context),
      lifetime: lifetimeWith({ memory }),
      decrypting: { codec, log, budget: new KmsCallBudget(codec), begin: async () => record },
    });
    expect(read).toMatchObject({ status: 'read' });
    expect(held[0]).toBeGreaterThan(0);
    expect(memory.held).toBe(0);
  });

  it('returns the innermost message of a long chain, whatever the size of the stack traces', async () => {
    const { codec } = kms;
    const context = { type: 'activity', namespace: 'payments', workflowId: 'w' } as const;
    const texts = Array.from({ length: 12 }, (_, n) => ({
      message: `level ${n}`,
      stack_trace: '\tat org.hibernate.Session.flush(Session.java:88)\n'.repeat(250),
    }));
    const encoded = await codec.encode(texts.map(plain), context);
    const event = failedWith(encoded[0]!);
    const { failure } = event.workflowExecutionFailedEventAttributes;
    failure.cause = encoded
      .slice(1)
      .reduceRight<object | null>((cause, encodedAttributes) => ({ encodedAttributes, cause }), null);
    const record: any = { ...anyNamespace, done: () => undefined, end: async () => undefined };
    const reader: any = { lastEvent: async () => event };
    const read = await readFailedRun(first!, {
      namespace: 'payments',
      reader,
      inspect: (payload, home) => codec.inspect(payload, home),
      lifetime: lifetimeWith(),
      decrypting: { codec, log, budget: new KmsCallBudget(codec), begin: async () => record },
    });
    expect(read).toMatchObject({ value: { cause: { message: { text: 'level 11' } } } });
  });
});

describe('isSampled', () => {
  it('selects about the requested share of the runs, and includes each smaller sample in every larger one', () => {
    const ids = Array.from({ length: 20_000 }, () => randomUUID());
    const sample = (share: number) => ids.filter((id) => isSampled(id, share));
    expect(sample(0.1).length).toBeGreaterThan(1_800);
    expect(sample(0.1).length).toBeLessThan(2_200);
    expect(sample(0.1)).toEqual(sample(0.5).filter((id) => isSampled(id, 0.1)));
    expect(sample(1)).toEqual(ids);
  });
});

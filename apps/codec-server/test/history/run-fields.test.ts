import type { RunFieldsFrame, WorkflowSummary } from '@temporal-kms/codec-api';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { payloadFields } from '../../src/history/payload-fields.ts';
import {
  decodedFields,
  namedPayloads,
  runFieldsFrames,
  type RunFieldsOptions,
} from '../../src/history/run-fields.ts';
import { KmsCallBudget } from '../../src/history/stream-limits.ts';
import { anyNamespace } from '../support/callers.ts';
import { lifetimeWith, never } from '../support/memory.ts';
import { plain, text, threads } from '../support/stack.ts';

const listed = (count: number) =>
  Array.from({ length: count }, (_, n): WorkflowSummary => ({
    workflowId: `w-${n}`,
    runId: `r-${n}`,
    type: 't',
    taskQueue: 'q',
    status: 'Completed',
    historyLength: 3,
    historySizeBytes: 300,
    searchAttributes: {},
    memo: [],
  }));

function frames(count: number, most: number, read: RunFieldsOptions['read']): Promise<RunFieldsFrame[]> {
  return Array.fromAsync(
    runFieldsFrames({
      log: pino({ level: 'silent' }),
      lifetime: lifetimeWith(),
      most,
      read,
      after: undefined,
      page: async (token) => ({ runs: listed(count), token, next: undefined }),
      stop: () => undefined,
      kmsCalls: () => 7,
    }),
  );
}

const nothing = { status: 'read', value: { fields: {}, unreadable: {} } } as const;

const ids = (all: RunFieldsFrame[]) =>
  all.flatMap((frame) => (frame.type === 'run' ? [frame.workflowId] : []));

describe('runFieldsFrames', () => {
  it('ends with `limit` before the first run that exceeds the budget of Cloud KMS calls', async () => {
    const all = await frames(20, 200, async ({ runId }) => (runId === 'r-3' ? { status: 'limit' } : nothing));
    expect(ids(all)).toEqual(['w-0', 'w-1', 'w-2']);
    expect(all.at(-1)).toMatchObject({ type: 'end', reason: 'limit', after: '.r-2', runs: 3, kmsCalls: 7 });
  });

  it('reads no run beyond the limit', async () => {
    const read: string[] = [];
    const all = await frames(20, 4, async ({ workflowId }) => {
      read.push(workflowId);
      return nothing;
    });
    expect(read).toEqual(['w-0', 'w-1', 'w-2', 'w-3']);
    expect(all.at(-1)).toMatchObject({ reason: 'limit', runs: 4, after: '.r-3' });
  });
});

const run = { namespace: 'payments', workflowId: 'w', runId: 'r' };
const startedWith = (inputs: number): any => ({
  eventId: 1,
  eventType: 1,
  workflowExecutionStartedEventAttributes: {
    input: { payloads: Array.from({ length: inputs }, (_, n) => plain(n)) },
    header: { fields: { trace: plain('t') } },
    memo: { fields: { tier: plain(1) } },
    lastCompletionResult: { payloads: [plain('before')] },
  },
});

describe('decodedFields', () => {
  const codec: any = {
    inspect: () => ({ format: 'plain' }),
    plan: () => ({ kmsCalls: 0 }),
    decrypt: async (payload: object) => ({ payload, info: {} }),
  };
  const record: any = {
    ...anyNamespace,
    done: () => undefined,
    refused: () => undefined,
    end: async () => undefined,
  };
  const decoded = (fields: () => Promise<any>, lifetime = lifetimeWith()) =>
    decodedFields(
      run,
      namedPayloads(startedWith(10), run),
      {
        codec,
        log: pino({ level: 'silent' }),
        budget: new KmsCallBudget(codec),
        begin: async () => record,
        threads: { fields },
      },
      lifetime,
    );

  it('decrypts only the arguments and the memo, and no more payloads than an audit entry can name', () => {
    expect(namedPayloads(startedWith(2), run).map(({ name }) => name)).toEqual([
      'input',
      'input2',
      'memo.tier',
    ]);
    expect(namedPayloads(startedWith(300), run)).toHaveLength(200);
  });

  it('parses no further payload once a run has the maximum number of fields', async () => {
    let calls = 0;
    const found = await decoded(async () => {
      calls += 1;
      return Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`${calls}.${n}`, n]));
    });
    expect(calls).toBe(3);
    expect(Object.keys(found!.fields)).toHaveLength(400);
  });

  it('stops between two payloads when the stream has to end', async () => {
    const gone = new AbortController();
    let calls = 0;
    const found = decoded(
      async () => {
        calls += 1;
        gone.abort();
        return {};
      },
      lifetimeWith({ disconnected: gone.signal }),
    );
    await expect(found).rejects.toThrow();
    expect(calls).toBe(1);
  });
});

const json = (body: string, encoding = 'json/plain') => payloadFields('x', { data: text(body), encoding });

describe('payloadFields', () => {
  it('returns only the encoding and length of a body that is not JSON', () => {
    expect(json('{"a":')).toEqual({ 'x.encoding': 'json/plain', 'x.length': 5 });
    expect(payloadFields('x', { data: Uint8Array.of(255, 254), encoding: 'json/plain' })).toEqual({
      'x.encoding': 'json/plain',
      'x.length': 2,
    });
    expect(json('secret', 'binary/plain')).toEqual({ 'x.encoding': 'binary/plain', 'x.length': 6 });
    expect(json('', 'binary/null')).toEqual({ x: null });
  });

  it('limits the number of fields of crafted payloads, even in a worker thread', async () => {
    const crafted = [
      '['.repeat(100_000) + ']'.repeat(100_000),
      `{${Array.from({ length: 20_000 }, (_, n) => `"k${n}":[]`).join()}}`,
      `{"${'k'.repeat(100_000)}":1,"__proto__":{"constructor":"y"}}`,
      JSON.stringify('x'.repeat(100_000)),
    ];
    for (const body of crafted) {
      const payload = { metadata: { encoding: text('json/plain') }, data: text(body) };
      const found = await threads.fields('x', payload, never);
      expect(found).toEqual(json(body));
      expect(Object.keys(found!).length).toBeLessThanOrEqual(200);
      expect(JSON.stringify(found).length).toBeLessThan(200 * 450);
    }
    expect(json(crafted[2]!)).toEqual({
      'x.__proto__.constructor': 'y',
      'x.__proto__.constructor.length': 1,
    });
  });
});

import type { Permission, QueryFrame } from '@temporal-kms/codec-api';
import { queryFrame } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Access } from '../../src/access/access.ts';
import type { Inspect } from '../../src/history/payload-stub.ts';
import { queryFrames } from '../../src/history/query.ts';
import { MemoryBudget } from '../../src/memory.ts';
import type { TemporalService } from '../../src/temporal/service.ts';
import { ana, anyNamespace, onDemandAccess } from '../support/callers.ts';
import { lifetimeWith } from '../support/memory.ts';
import { keptLog } from '../support/kept-log.ts';
import {
  appWith,
  keys,
  type Kms,
  noTemporal,
  type Payload,
  plain,
  post,
  recordedAudit,
  startKms,
} from '../support/stack.ts';
import { lines, valueOf } from '../support/temporal.ts';

/* Tests the boundaries of a query with a Temporal service that returns the payloads of each test. */

const RUN = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
const SECRET = 'canary-of-orders-5c0de1';
const ARGUMENT = 'canary-argument-77ab';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms({
    payments: { encrypt: keys.payments, accepts: ['orders'] },
    orders: { encrypt: keys.orders },
    archive: { decrypt: [keys.orders] },
  });
});
afterAll(() => kms.close());

const encryptedIn = async (namespace: string, value: unknown): Promise<Payload> => {
  const [message] = await kms.codec.encode([plain(value)], { namespace, workflowId: 'w' });
  return message!;
};

interface Asked {
  readonly access: Access;
  readonly payloads?: Payload[];
  readonly failure?: temporal.api.failure.v1.IFailure;
  readonly memory?: MemoryBudget;
  readonly path?: string;
}

async function ask(body: object, { access, payloads = [], failure, memory, path = RUN }: Asked) {
  const { audit, entries } = recordedAudit();
  const { log, lines: logged } = keptLog();
  const sent: unknown[] = [];
  const query: TemporalService['query'] = async (request) => {
    sent.push(request);
    return failure ? { failure } : { queryResult: { payloads } };
  };
  const temporal = { ...noTemporal, query };
  const app = appWith(kms, { access, audit, log, temporal, ...(memory && { memory }) });
  const response = await post(app, `${path}/query`, body);
  const { status } = response;
  const frames: QueryFrame[] = status === 200 ? await Array.fromAsync(lines(response, queryFrame)) : [];
  const text = status === 200 ? '' : await response.text();
  const error = text === '' ? undefined : JSON.parse(text).error;
  const results = frames.filter((frame) => 'ok' in frame);
  return { status, error, text, frames, results, sent, entries, logged };
}

const all = ['query', 'decode', 'encode'] as const;
const without = (missing: Permission): Access => ana({ payments: all.filter((each) => each !== missing) });

describe('a query', () => {
  it.each([
    ['query', []],
    ['decode', []],
    ['encode', [`"${ARGUMENT}"`]],
  ] as const)('is not sent for a caller without the permission %s', async (missing, texts) => {
    const { status, error, sent, entries } = await ask(
      { type: 'look', arguments: texts },
      { access: without(missing) },
    );
    expect([status, error.code, sent]).toEqual([403, 'forbidden', []]);
    expect(entries).toMatchObject([{ event: 'denied', operation: missing, namespace: 'payments' }]);
  });

  it('needs no permission to encrypt if it has no arguments', async () => {
    const payloads = [await encryptedIn('payments', 'a')];
    const { results } = await ask({ type: 'look' }, { access: without('encode'), payloads });
    expect(results.map(valueOf)).toEqual(['"a"']);
  });

  it('is not sent without a justification where the namespace reveals payloads on demand', async () => {
    const { status, error, sent, entries } = await ask({ type: 'look' }, { access: onDemandAccess });
    expect([status, error.code, sent]).toEqual([403, 'justification_required', []]);
    expect(entries).toMatchObject([{ event: 'denied', denied: 'justification_required', query: 'look' }]);
    const justified = await ask({ type: 'look', justification: 'PAY-4417' }, { access: onDemandAccess });
    expect(justified.sent).toHaveLength(1);
    expect(justified.entries[0]).toMatchObject({ event: 'intent', justification: 'PAY-4417' });
  });

  it('is not sent with arguments that are not JSON, and the error does not repeat the arguments', async () => {
    const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
    for (const wrong of [ARGUMENT, `["${ARGUMENT}"`, '', deep]) {
      const { status, text, sent, entries, logged } = await ask(
        { type: 'look', arguments: ['1', wrong] },
        { access: ana({ payments: all }) },
      );
      expect([status, sent, entries]).toEqual([400, [], []]);
      expect(text).toContain('arguments.1');
      expect(text + logged.join()).not.toContain('canary');
    }
  });

  it('is not sent with arguments in a namespace where no key encrypts', async () => {
    const access = ana({ archive: all });
    const path = RUN.replace('payments', 'archive');
    const { status, error, sent } = await ask({ type: 'look', arguments: ['1'] }, { access, path });
    expect([status, error.code, sent]).toEqual([403, 'forbidden', []]);
  });

  it('returns plaintext of another namespace’s message only to a caller who may decode there', async () => {
    const payloads = [await encryptedIn('orders', SECRET)];
    const own = ana({ payments: all, orders: ['query', 'search'] });
    const refused = await ask({ type: 'look' }, { access: own, payloads });
    expect(refused.results).toMatchObject([{ ok: false, reason: 'namespace_not_permitted' }]);
    expect(JSON.stringify(refused)).not.toContain(SECRET);
    expect(refused.entries).toContainEqual(
      expect.objectContaining({ event: 'denied', operation: 'decode', namespace: 'orders' }),
    );
    const both = ana({ payments: all, orders: ['decode'] });
    const permitted = await ask({ type: 'look' }, { access: both, payloads });
    expect(permitted.results.map(valueOf)).toEqual([JSON.stringify(SECRET)]);
    expect(permitted.entries.map(({ event, operation, namespace }) => [event, operation, namespace])).toEqual(
      expect.arrayContaining([
        ['intent', 'query', 'payments'],
        ['intent', 'decode', 'orders'],
      ]),
    );
  });

  it('returns the decrypted failure of the worker’s code, with its causes', async () => {
    const encodedAttributes = await encryptedIn('payments', { message: 'no order', stack_trace: '' });
    const failure = { message: 'Encoded failure', cause: { encodedAttributes } };
    const access = ana({ payments: all });
    const { frames, results } = await ask({ type: 'look' }, { access, failure });
    expect(frames[0]).toMatchObject({
      type: 'answer',
      outcome: 'failed',
      attributes: { failure: { cause: { encodedAttributes: { $payload: '0:0' } } } },
      payloads: [{ ref: '0:0', path: 'failure.cause.encodedAttributes' }],
    });
    expect(JSON.parse(valueOf(results[0]))).toEqual({ message: 'no order', stack_trace: '' });
  });

  it('returns no further payload once the server is stopping', async () => {
    const { log } = keptLog();
    const lifetime = lifetimeWith({ stopping: AbortSignal.abort() });
    const context = { type: 'workflow', namespace: 'payments', workflowId: 'w' } as const;
    const outcome = { queryResult: { payloads: [await encryptedIn('payments', SECRET)] } };
    const { codec } = kms;
    const inspect: Inspect = (payload, of) => codec.inspect(payload, of);
    const options = { codec, inspect, log, context, outcome, lifetime, record: anyNamespace };
    expect(await Array.fromAsync(queryFrames(options))).toEqual([{ type: 'end', reason: 'shutdown' }]);
  });

  it('returns an error for a result above the memory limit, and decrypts the other results', async () => {
    const payloads = [await encryptedIn('payments', 'x'.repeat(400_000)), await encryptedIn('payments', 'a')];
    const memory = new MemoryBudget(4 * 1024 * 1024);
    const { results } = await ask({ type: 'look' }, { access: ana({ payments: all }), payloads, memory });
    expect(results).toContainEqual(expect.objectContaining({ ref: '0:0', ok: false, reason: 'too_large' }));
    expect(results.filter(({ ok }) => ok).map(valueOf)).toEqual(['"a"']);
    expect(memory.held).toBe(0);
  });
});

import type { CauseFrame } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPlaintextCache } from '../../../src/payloads/reveal/plaintext-cache.ts';
import { AWAY, createReveals } from '../../../src/payloads/reveal/reveals.ts';
import { causesOf } from '../../../src/runs/causes/causes-store.ts';
import { formatSince } from '../../../src/runs/causes/group-runs.ts';
import { whyStoreOf } from '../../../src/runs/causes/why-store.ts';
import { createApiClient } from '../../../src/session/server/client.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const MINUTE = 60_000;
const namespace = 'cards';
const of = { namespace, query: '' };
const counts = { after: '.2', runs: 1, failed: 0, kmsCalls: 1, unreadable: {} };
const start: CauseFrame = { type: 'start', total: 2, share: 1, failingTasks: true };
const run = (runId: string): CauseFrame => ({
  type: 'run',
  workflowId: 'w',
  runId,
  workflowType: 'Order',
  status: 'Failed',
  fingerprint: { id: '2-a', version: 2, parts: { type: 'CardDeclined', place: '', frames: [] } },
  message: { status: 'readable', text: 'Card 4242 was declined', encrypted: true },
});
const end = (reason: 'complete' | 'limit' | 'error', more: Partial<typeof counts> = {}): CauseFrame => ({
  type: 'end',
  reason,
  ...counts,
  ...more,
});
const all = [start, run('a'), end('complete')];

/** `held` contains the frames of a response that ends only when its request is aborted. */
type Answer = readonly CauseFrame[] | { readonly held: readonly CauseFrame[] } | 'justification_required';

/**
 * Returns a person's stores of causes. The codec server gives the answers in turn, and then repeats the last
 * answer.
 */
function setUp(reveal: 'automatic' | 'on-demand', ...answers: [Answer, ...Answer[]]) {
  const plaintext = createPlaintextCache();
  const reveals = createReveals({ access: { can: () => true, reveal: () => reveal }, plaintext });
  const requests: { query: string; after?: string; justification?: string }[] = [];
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  const api = createApiClient({
    apiUrl: 'https://codec.example',
    fetch: (_, init) => {
      requests.push(JSON.parse(typeof init?.body === 'string' ? init.body : '{}'));
      const answer = answers[Math.min(requests.length, answers.length) - 1]!;
      return Promise.resolve(respond(answer, init?.signal, resolve));
    },
  });
  const source = { api, reveals, plaintext };
  const causes = causesOf(source);
  const why = whyStoreOf(source);
  return {
    plaintext,
    reveals,
    requests,
    /** Resolves when all frames of a held answer were read. */
    drained,
    causes,
    why,
    progress: () => causes.store.getState().progress,
    known: () => why.store.getState().causes,
    justify: (justification: string, minutes: number) =>
      reveals.reveal({ target: { kind: 'causes', namespace }, name: 'x', minutes, justification }),
    load: (...runIds: string[]) => why.load(namespace, runIds, new AbortController().signal),
    ended: () => within(() => expect(causes.store.getState().progress?.status).not.toBe('running')),
  };
}

const within = (check: () => void) => vi.waitFor(check, { timeout: 30_000 });

function respond(answer: Answer, signal: AbortSignal | null | undefined, onDrained: () => void): Response {
  if (answer === 'justification_required')
    return Response.json({ error: { code: answer, message: 'Say why.' } }, { status: 403 });
  const rest = 'held' in answer ? [...answer.held] : [...answer];
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start(controller) {
      signal?.addEventListener('abort', () => controller.error(new DOMException('aborted', 'AbortError')));
    },
    pull(controller) {
      const frame = rest.shift();
      if (frame) controller.enqueue(new TextEncoder().encode(`${JSON.stringify(frame)}\n`));
      else if (!('held' in answer)) controller.close();
      else {
        onDrained();
        return new Promise(() => undefined);
      }
      return undefined;
    },
  };
  return new Response(new ReadableStream(source, { highWaterMark: 0 }));
}

describe('causes with messages', () => {
  test('are dropped when the sign-in expires, even while no page shows them', async () => {
    const { causes, load, progress, known, plaintext, ended } = setUp('automatic', all);
    causes.show(of);
    await load('a');
    await ended();
    expect([progress()?.runs.length, known().size]).toEqual([1, 1]);
    plaintext.clear();
    expect([progress(), known().size]).toEqual([undefined, 0]);
  });

  test('are dropped when the reveal for which they were decrypted ends, even while another reveal is open', async () => {
    const { causes, load, progress, known, justify, requests, ended } = setUp('on-demand', all);
    justify('PAY-1', 5);
    causes.show(of);
    await load('a');
    await ended();
    justify('PAY-2', 15);
    expect([progress()?.runs.length, known().size]).toEqual([1, 1]);
    vi.advanceTimersByTime(5 * MINUTE);
    expect([progress(), known().size]).toEqual([undefined, 0]);
    causes.show(of);
    await load('a');
    await ended();
    expect(requests.map(({ justification }) => justification)).toEqual(['PAY-1', 'PAY-1', 'PAY-2', 'PAY-2']);
  });

  test('are ignored if they arrive after their reveal has ended', async () => {
    const { causes, why, progress, known, justify, drained } = setUp('on-demand', {
      held: [start, run('a')],
    });
    const scrolling = new AbortController();
    justify('PAY-1', 5);
    const loading = why.load(namespace, ['a'], scrolling.signal);
    await drained;
    causes.show(of);
    await within(() => expect(progress()?.runs).toHaveLength(1));
    justify('PAY-2', 15);
    vi.advanceTimersByTime(5 * MINUTE);
    scrolling.abort();
    await loading;
    expect([progress(), known().size]).toEqual([undefined, 0]);
  });

  test('resume with the justification of their reveal', async () => {
    const limit = [start, end('limit', { runs: 0 })];
    const { causes, justify, requests, ended } = setUp('on-demand', limit, all);
    justify('PAY-1', 5);
    causes.show(of);
    await ended();
    justify('PAY-2', 15);
    causes.resume();
    await ended();
    expect(requests).toEqual([
      { query: '', justification: 'PAY-1' },
      { query: '', after: '.2', justification: 'PAY-1' },
    ]);
  });

  test('are not requested while the person is away', async () => {
    const { causes, progress, reveals, requests, ended } = setUp('automatic', all);
    causes.show(of);
    await ended();
    reveals.hidden();
    vi.advanceTimersByTime(AWAY);
    causes.show(of);
    expect([progress(), requests.length]).toEqual([undefined, 1]);
    reveals.shown();
    causes.show(of);
    await ended();
    expect(requests).toHaveLength(2);
  });

  test('are requested with a justification after the server refused to decrypt without one', async () => {
    const { causes, progress, requests, ended } = setUp('automatic', 'justification_required', all);
    causes.show(of);
    await ended();
    expect(progress()?.failure?.code).toBe('justification_required');
    causes.resume('PAY-9');
    await ended();
    expect([progress()?.status, requests[1]?.justification]).toEqual(['complete', 'PAY-9']);
  });
});

describe('reading causes', () => {
  test('continues after a limit if the server got past at least one run, even if it could read none', async () => {
    const limit = [start, end('limit', { runs: 0, failed: 3 })];
    const { causes, progress, requests, ended } = setUp('automatic', limit, all);
    causes.show(of);
    await ended();
    expect(progress()).toMatchObject({ status: 'complete', failed: 3 });
    expect(requests.map(({ after }) => after)).toEqual([undefined, '.2']);
  });

  test('can be resumed after an error, and then continues after the last run that was read', async () => {
    const { causes, progress, requests, ended } = setUp(
      'automatic',
      [start, run('a'), end('error')],
      [start, run('b'), end('complete')],
    );
    causes.show(of);
    await ended();
    causes.resume();
    await ended();
    expect(progress()?.runs.map(({ runId }) => runId)).toEqual(['a', 'b']);
    expect(requests[1]?.after).toBe('.2');
  });
});

describe('causes for the rows in view', () => {
  test('are requested again for runs that an incomplete response did not contain', async () => {
    const { load, known, why, requests } = setUp('automatic', [run('a'), end('limit')], [end('complete')]);
    await load('a', 'b');
    expect([...known().keys()]).toEqual(['a']);
    expect(why.store.getState().unread.get('b')).toMatch(/ended the request/);
    await load('a', 'b');
    expect(requests[1]?.query).toBe('RunId IN ("b")');
    expect(known().has('b')).toBe(true);
    expect(why.store.getState().unread.size).toBe(0);
  });

  test('stay known if they arrived before their request was aborted', async () => {
    const { why, known, drained } = setUp('automatic', { held: [run('a')] });
    const scrolling = new AbortController();
    const loading = why.load(namespace, ['a', 'b'], scrolling.signal);
    await drained;
    scrolling.abort();
    await loading;
    expect([...known().keys()]).toEqual(['a']);
    expect(why.store.getState().unread.size).toBe(0);
  });
});

test('the time at which a cause first occurred includes the date unless it was today', () => {
  vi.setSystemTime(Date.UTC(2026, 10, 24, 13, 4, 58));
  const format = { zone: 'utc', clock: '24' } as const;
  expect(formatSince(Date.now(), format)).toBe('13:04');
  expect(formatSince(Date.now() - 14 * 60 * MINUTE, format)).toBe('23 Nov 23:04:58');
});

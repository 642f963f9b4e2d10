import { type DecodeResult, payloadRefOf } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createDecoder, type DecoderAccess } from '../../src/payloads/decoder.ts';
import { createPlaintextCache } from '../../src/payloads/reveal/plaintext-cache.ts';
import type { PayloadAccess } from '../../src/payloads/reveal/reveals.ts';
import { ApiFailure } from '../../src/session/server/failure.ts';
import { encrypted } from '../fixtures/payloads.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(
  answer: (ref: string) => DecodeResult | 'never' = (ref) => encrypted('text').answer(ref),
  cache = createPlaintextCache(),
) {
  const requests: string[][] = [];
  const aborted: string[][] = [];
  async function* decode(refs: readonly string[], signal: AbortSignal) {
    requests.push([...refs]);
    signal.addEventListener('abort', () => aborted.push([...refs]));
    for (const ref of refs) {
      const result = answer(ref);
      if (result === 'never') {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new DOMException('gone', 'AbortError')));
        });
      } else {
        yield result;
      }
    }
  }
  const decoder = createDecoder({ decode, cache, scope: 'run', retryFirst: 1000, retryMost: 4000 });
  return { decoder, cache, requests, aborted };
}

describe('payloads in view', () => {
  test('are requested at once when the page opens', async () => {
    const { decoder, requests } = setUp();
    decoder.view(payloadRefOf(1, 0));
    decoder.view(payloadRefOf(2, 0));
    expect(requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(requests).toEqual([['1:0', '2:0']]);
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
  });

  test('are requested together after scrolling, once no other payloads have come into view for a moment', async () => {
    const { decoder, requests } = setUp();
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(1);
    decoder.view(payloadRefOf(2, 0));
    await vi.advanceTimersByTimeAsync(30);
    decoder.view(payloadRefOf(3, 0));
    await vi.advanceTimersByTimeAsync(30);
    expect(requests).toEqual([['1:0']]);
    await vi.advanceTimersByTimeAsync(10);
    expect(requests).toEqual([['1:0'], ['2:0', '3:0']]);
  });

  test('are never requested if they leave the view before the request is sent', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view(payloadRefOf(1, 0));
    decoder.view(payloadRefOf(2, 0));
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toEqual([['2:0']]);
  });

  test('are requested in batches of at most 200', async () => {
    const { decoder, requests } = setUp();
    for (let id = 1; id <= 450; id += 1) decoder.view(payloadRefOf(id, 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(requests.map((refs) => refs.length)).toEqual([200, 200, 50]);
  });

  test('keep their shared request until the last of them leaves the view', async () => {
    const { decoder, aborted } = setUp(() => 'never');
    const first = decoder.view(payloadRefOf(1, 0));
    const second = decoder.view(payloadRefOf(2, 0));
    await vi.advanceTimersByTimeAsync(100);
    first();
    expect(aborted).toEqual([]);
    second();
    expect(aborted).toEqual([['1:0', '2:0']]);
  });

  test('are requested once even if they are shown in two places', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view(payloadRefOf(1, 0));
    decoder.view(payloadRefOf(1, 0));
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toEqual([['1:0']]);
  });

  test('come from the cache when they come back into view', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(100);
    leave();
    decoder.view(payloadRefOf(1, 0));
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toHaveLength(1);
  });

  test('notify only their own observers', async () => {
    const { decoder } = setUp();
    const heard: string[] = [];
    decoder.store.subscribe((now, before) => {
      for (const ref of [payloadRefOf(1, 0), payloadRefOf(2, 0)]) {
        if (now.payloads.get(ref) !== before.payloads.get(ref)) heard.push(ref);
      }
    });
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toEqual(['1:0']);
  });
});

describe('reason codes', () => {
  test('cause requests at growing intervals if they are retryable, as long as the payload is in view', async () => {
    let down = true;
    const { decoder, requests } = setUp((ref) =>
      encrypted('text', down ? { reason: 'kms_unavailable' } : {}).answer(ref),
    );
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(decoder.state(payloadRefOf(1, 0))).toMatchObject({
      result: { ok: false, reason: 'kms_unavailable' },
    });
    await vi.advanceTimersByTimeAsync(1200);
    await vi.advanceTimersByTimeAsync(2200);
    expect(requests).toHaveLength(3);
    down = false;
    await vi.advanceTimersByTimeAsync(4200);
    expect(decoder.state(payloadRefOf(1, 0))).toMatchObject({ result: { ok: true } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(4);
  });

  test('are forgotten when the payload leaves the view if they are retryable, and are kept if they are permanent', async () => {
    const { decoder } = setUp((ref) =>
      encrypted('', { reason: ref === '1:0' ? 'kms_quota' : 'key_destroyed' }).answer(ref),
    );
    const leaves = [decoder.view(payloadRefOf(1, 0)), decoder.view(payloadRefOf(2, 0))];
    await vi.advanceTimersByTimeAsync(200);
    expect([...decoder.store.getState().findings.keys()]).toEqual(['1:0', '2:0']);
    for (const leave of leaves) leave();
    await vi.advanceTimersByTimeAsync(200);
    expect([...decoder.store.getState().findings.keys()]).toEqual(['2:0']);
  });

  test('cause no further request if they are permanent, unless the user asks for one', async () => {
    const { decoder, requests } = setUp((ref) => encrypted('', { reason: 'key_destroyed' }).answer(ref));
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(1);
    decoder.retry([payloadRefOf(1, 0)]);
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toHaveLength(2);
  });

  test('of several payloads are published in one update', async () => {
    const { decoder } = setUp((ref) =>
      encrypted('', ref === '2:0' ? { reason: 'key_disabled', version: 3 } : {}).answer(ref),
    );
    let changes = 0;
    decoder.store.subscribe((now, before) => {
      if (now.findings !== before.findings) changes += 1;
    });
    for (const ref of [payloadRefOf(1, 0), payloadRefOf(2, 0), payloadRefOf(3, 0)]) decoder.view(ref);
    await vi.advanceTimersByTimeAsync(200);
    expect(decoder.store.getState().findings.get(payloadRefOf(2, 0))).toMatchObject({
      reason: 'key_disabled',
      key: { version: 3 },
    });
    expect(changes).toBe(1);
  });
});

describe('a request that fails as a whole', () => {
  test('is reported for each of its payloads, and retried unless it can never succeed', async () => {
    let failure: ApiFailure = new ApiFailure('unreachable', 'The codec server didn’t answer.');
    let requests = 0;
    const decoder = createDecoder({
      // oxlint-disable-next-line require-yield
      decode: async function* decode() {
        requests += 1;
        throw failure;
      },
      cache: createPlaintextCache(),
      scope: 'run',
      retryFirst: 1000,
    });
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({
      status: 'failed',
      message: 'The codec server didn’t answer.',
      final: false,
      forbidden: false,
    });
    failure = new ApiFailure('forbidden', 'You may not read payloads here.');
    await vi.advanceTimersByTimeAsync(1200);
    expect(decoder.state(payloadRefOf(1, 0))).toMatchObject({
      status: 'failed',
      final: true,
      forbidden: true,
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toBe(2);
  });
});

describe('the cache', () => {
  test('evicts payloads when their total size exceeds its limit in bytes', async () => {
    const cache = createPlaintextCache(40_000);
    const { decoder } = setUp((ref) => encrypted('x'.repeat(2000)).answer(ref), cache);
    for (let id = 1; id <= 50; id += 1) decoder.view(payloadRefOf(id, 0));
    await vi.advanceTimersByTimeAsync(100);
    expect(cache.bytes).toBeLessThanOrEqual(40_000);
    expect(cache.bytes).toBeGreaterThan(0);
    // The decoder keeps the payloads in view, whatever the cache evicts.
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
  });
});

const locked: PayloadAccess = { status: 'locked' };
const grant = (id: string): PayloadAccess => ({
  status: 'open',
  grant: {
    id,
    name: id,
    until: Infinity,
    justification: `because ${id}`,
    target: { kind: 'namespace', namespace: 'n' },
  },
});

/** Returns a decoder whose payloads are locked until `open` is called. */
function setUpLocked({ hold = false } = {}) {
  const opened = new Map<string, PayloadAccess>();
  const listeners = new Set<() => void>();
  const access: DecoderAccess = {
    of: (ref) => opened.get(ref) ?? locked,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const requests: [string[], string | undefined][] = [];
  const cache = createPlaintextCache();
  const held: (() => void)[] = [];
  const decoder = createDecoder({
    access,
    cache,
    scope: 'run',
    decode: async function* decode(refs, _, justification) {
      requests.push([[...refs], justification]);
      if (hold) await new Promise<void>((resolve) => held.push(resolve));
      for (const ref of refs) yield encrypted('secret').answer(ref);
    },
  });
  const open = (accesses: Record<string, PayloadAccess>) => {
    for (const [ref, given] of Object.entries(accesses)) opened.set(ref, given);
    for (const listener of listeners) listener();
  };
  return { decoder, cache, requests, open, release: () => held.forEach((resolve) => resolve()) };
}

describe('a locked payload', () => {
  test('is requested only once it is revealed, with the reveal’s justification', async () => {
    const { decoder, requests, open } = setUpLocked();
    for (const ref of [payloadRefOf(1, 0), payloadRefOf(2, 0), payloadRefOf(3, 0), payloadRefOf(4, 0)])
      decoder.view(ref);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toEqual([]);
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({ status: 'locked' });
    open({ '1:0': grant('a'), '2:0': grant('b'), '3:0': grant('a') });
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({ status: 'waiting' });
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toEqual([
      [['1:0', '3:0'], 'because a'],
      [['2:0'], 'because b'],
    ]);
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
    expect(decoder.state(payloadRefOf(4, 0)).status).toBe('locked');
  });

  test('leaves no plaintext behind when it is locked again', async () => {
    const { decoder, cache, open } = setUpLocked();
    decoder.view(payloadRefOf(1, 0));
    open({ '1:0': grant('a') });
    await vi.advanceTimersByTimeAsync(100);
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
    cache.forgetGrant('a');
    open({ '1:0': locked });
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({ status: 'locked' });
    expect([...decoder.store.getState().payloads]).toEqual([]);
    expect(cache.bytes).toBe(0);
  });

  test('ignores the response to a request that was sent before the payload was locked', async () => {
    const { decoder, cache, open, release } = setUpLocked({ hold: true });
    decoder.view(payloadRefOf(1, 0));
    decoder.view(payloadRefOf(2, 0));
    open({ '1:0': grant('a'), '2:0': grant('a') });
    await vi.advanceTimersByTimeAsync(100);
    open({ '1:0': locked });
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({ status: 'locked' });
    expect([...decoder.store.getState().payloads.keys()]).toEqual(['2:0']);
    const both = cache.bytes;
    cache.forgetGrant('a');
    expect(both).toBeGreaterThan(0);
    expect(cache.bytes).toBe(0);
  });

  test('ignores a response that arrives after the payload was locked and left the view', async () => {
    const { decoder, cache, open, release } = setUpLocked({ hold: true });
    const leave = decoder.view(payloadRefOf(1, 0));
    decoder.view(payloadRefOf(2, 0));
    open({ '1:0': grant('a'), '2:0': grant('a') });
    await vi.advanceTimersByTimeAsync(100);
    leave();
    open({ '1:0': locked, '2:0': locked });
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(cache.bytes).toBe(0);
  });

  test('is requested again for another reveal, so that the audit contains the justification of that reveal', async () => {
    const { decoder, requests, open } = setUpLocked();
    decoder.view(payloadRefOf(1, 0));
    open({ '1:0': grant('a') });
    await vi.advanceTimersByTimeAsync(100);
    open({ '1:0': grant('b') });
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('waiting');
    await vi.advanceTimersByTimeAsync(100);
    expect(requests.map(([, justification]) => justification)).toEqual(['because a', 'because b']);
  });
});

describe('a payload in external storage', () => {
  const stored = { driver: 'd', type: 's3', bucket: 'b', object: 'o', bytes: 9, readable: true } as const;
  const ref = payloadRefOf(1, 0);

  function setUpStored() {
    const requests: string[][] = [];
    let aborted = 0;
    const decoder = createDecoder({
      async *decode(refs, signal) {
        requests.push([...refs]);
        signal.addEventListener('abort', () => (aborted += 1));
        await new Promise((resolve) => setTimeout(resolve, 100));
        for (const each of refs) yield encrypted('text').answer(each);
      },
      cache: createPlaintextCache(10),
      scope: 'run',
      stub: (each) => encrypted('text', each === ref ? { stored } : {}).stub(each, 'input'),
    });
    return { decoder, requests, aborted: () => aborted };
  }

  test('is requested only when the person asks for it, in a separate request', async () => {
    const { decoder, requests } = setUpStored();
    decoder.read(ref);
    decoder.view(ref);
    await vi.advanceTimersByTimeAsync(500);
    decoder.retry([ref]);
    await vi.advanceTimersByTimeAsync(500);
    expect(requests).toEqual([]);
    expect(decoder.state(ref).status).toBe('stored');
    decoder.view(payloadRefOf(2, 0));
    decoder.read(ref);
    decoder.read(ref);
    expect(decoder.state(ref).status).toBe('waiting');
    await vi.advanceTimersByTimeAsync(500);
    expect(requests).toEqual([['1:0'], ['2:0']]);
    expect(decoder.state(ref).status).toBe('answered');
  });

  test('is not requested again when it comes back into view, but only when the person asks again', async () => {
    const { decoder, requests } = setUpStored();
    const leave = decoder.view(ref);
    decoder.read(ref);
    await vi.advanceTimersByTimeAsync(500);
    leave();
    decoder.view(ref);
    await vi.advanceTimersByTimeAsync(500);
    expect(decoder.state(ref).status).toBe('stored');
    expect(requests).toEqual([['1:0']]);
  });

  test.each([['storage_unavailable'], ['kms_unavailable'], [undefined]] as const)(
    'is requested again after the failure %s only when the person asks',
    async (reason) => {
      let requests = 0;
      const decoder = createDecoder({
        decode: async function* (refs) {
          requests += 1;
          if (reason !== undefined) for (const each of refs) yield encrypted('text', { reason }).answer(each);
        },
        cache: createPlaintextCache(10),
        scope: 'run',
        stub: () => encrypted('text', { stored }).stub(ref, 'input'),
      });
      decoder.view(ref);
      decoder.read(ref);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(requests).toBe(1);
      expect(decoder.repeats(ref)).toBe(false);
      decoder.retry([ref]);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(requests).toBe(2);
    },
  );

  test('counts the bytes that arrive until the response is complete', async () => {
    const counts: (number | undefined)[] = [];
    const decoder = createDecoder({
      decode: async function* (refs, _signal, _justification, onBytes) {
        for (const count of [1_000, 2_000, 3_000]) {
          onBytes?.(count);
          counts.push(decoder.received.getState().get(ref));
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
        for (const each of refs) yield encrypted('text').answer(each);
      },
      cache: createPlaintextCache(10),
      scope: 'run',
      stub: () => encrypted('text', { stored }).stub(ref, 'input'),
    });
    decoder.view(ref);
    decoder.read(ref);
    await vi.advanceTimersByTimeAsync(500);
    // Counts are published at most every 100 ms.
    expect(counts).toEqual([1_000, 1_000, 3_000]);
    expect(decoder.state(ref).status).toBe('answered');
    expect(decoder.received.getState().size).toBe(0);
  });

  test.each(['leaving the view', 'stopReading', 'stop'] as const)(
    'is no longer read after %s',
    async (how) => {
      const { decoder, aborted } = setUpStored();
      const leave = decoder.view(ref);
      decoder.read(ref);
      await vi.advanceTimersByTimeAsync(10);
      if (how === 'stop') decoder.stop();
      else if (how === 'stopReading') decoder.stopReading(ref);
      else leave();
      await vi.advanceTimersByTimeAsync(500);
      expect(aborted()).toBe(1);
      expect(decoder.state(ref).status).toBe('stored');
    },
  );
});

import type { DecodeResult } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiFailure } from '../../src/api/failure.ts';
import { createDecoder } from '../../src/payloads/decoder.ts';
import { createOpenedCache } from '../../src/payloads/opened-cache.ts';
import { sealed } from '../fixtures/sealed.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(
  answer: (ref: string) => DecodeResult | 'never' = (ref) => sealed('text').answer(ref),
  cache = createOpenedCache(),
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
  test('go in one request once nothing more has come into view for a moment', async () => {
    const { decoder, requests } = setUp();
    decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(60);
    decoder.view('2:0');
    expect(requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(80);
    expect(requests).toEqual([['1:0', '2:0']]);
    expect(decoder.state('1:0').status).toBe('answered');
  });

  test('that are scrolled past before that are never asked for', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view('1:0');
    decoder.view('2:0');
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toEqual([['2:0']]);
  });

  test('are asked for at most two hundred at a time', async () => {
    const { decoder, requests } = setUp();
    for (let id = 1; id <= 450; id += 1) decoder.view(`${id}:0`);
    await vi.advanceTimersByTimeAsync(100);
    expect(requests.map((refs) => refs.length)).toEqual([200, 200, 50]);
  });

  test('a request is aborted when the last of its payloads has left, and not before', async () => {
    const { decoder, aborted } = setUp(() => 'never');
    const first = decoder.view('1:0');
    const second = decoder.view('2:0');
    await vi.advanceTimersByTimeAsync(100);
    first();
    expect(aborted).toEqual([]);
    second();
    expect(aborted).toEqual([['1:0', '2:0']]);
  });

  test('one payload in two places is asked for once', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view('1:0');
    decoder.view('1:0');
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toEqual([['1:0']]);
  });

  test('come back from the cache without a request', async () => {
    const { decoder, requests } = setUp();
    const leave = decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(100);
    leave();
    decoder.view('1:0');
    expect(decoder.state('1:0').status).toBe('answered');
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toHaveLength(1);
  });

  test('tell those who look at them, and no one else', async () => {
    const { decoder } = setUp();
    const heard: string[] = [];
    decoder.subscribe('1:0', () => heard.push('1:0'));
    decoder.subscribe('2:0', () => heard.push('2:0'));
    decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toEqual(['1:0']);
  });
});

describe('refusals', () => {
  test('that pass by themselves are asked again while in view, ever less often, until they have passed', async () => {
    let down = true;
    const { decoder, requests } = setUp((ref) =>
      sealed('text', down ? { reason: 'kms_unavailable' } : {}).answer(ref),
    );
    decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(100);
    expect(decoder.state('1:0')).toMatchObject({ result: { ok: false, reason: 'kms_unavailable' } });
    await vi.advanceTimersByTimeAsync(1200);
    await vi.advanceTimersByTimeAsync(2200);
    expect(requests).toHaveLength(3);
    down = false;
    await vi.advanceTimersByTimeAsync(4200);
    expect(decoder.state('1:0')).toMatchObject({ result: { ok: true } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(4);
  });

  test('that pass by themselves are forgotten with the view; permanent ones are not', async () => {
    const { decoder } = setUp((ref) =>
      sealed('', { reason: ref === '1:0' ? 'kms_quota' : 'key_destroyed' }).answer(ref),
    );
    const leaves = [decoder.view('1:0'), decoder.view('2:0')];
    await vi.advanceTimersByTimeAsync(200);
    expect([...decoder.findings().keys()]).toEqual(['1:0', '2:0']);
    for (const leave of leaves) leave();
    await vi.advanceTimersByTimeAsync(200);
    expect([...decoder.findings().keys()]).toEqual(['2:0']);
  });

  test('that are permanent are not asked again, but for a request by hand', async () => {
    const { decoder, requests } = setUp((ref) => sealed('', { reason: 'key_destroyed' }).answer(ref));
    decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(1);
    decoder.retry(['1:0']);
    await vi.advanceTimersByTimeAsync(100);
    expect(requests).toHaveLength(2);
  });

  test('are found beside each other without opening anything again', async () => {
    const { decoder } = setUp((ref) =>
      sealed('', ref === '2:0' ? { reason: 'key_disabled', version: 3 } : {}).answer(ref),
    );
    let changes = 0;
    decoder.subscribeFindings(() => {
      changes += 1;
    });
    for (const ref of ['1:0', '2:0', '3:0']) decoder.view(ref);
    await vi.advanceTimersByTimeAsync(200);
    expect(decoder.findings().get('2:0')).toMatchObject({ reason: 'key_disabled', key: { version: 3 } });
    expect(changes).toBe(1);
  });
});

describe('a request that fails as a whole', () => {
  test('is told at each of its payloads, and made again unless it never can succeed', async () => {
    let failure: ApiFailure = new ApiFailure('unreachable', 'The codec server didn’t answer.');
    let requests = 0;
    const decoder = createDecoder({
      // oxlint-disable-next-line require-yield
      decode: async function* decode() {
        requests += 1;
        throw failure;
      },
      cache: createOpenedCache(),
      scope: 'run',
      retryFirst: 1000,
    });
    decoder.view('1:0');
    await vi.advanceTimersByTimeAsync(100);
    expect(decoder.state('1:0')).toEqual({
      status: 'unasked',
      message: 'The codec server didn’t answer.',
      final: false,
    });
    failure = new ApiFailure('forbidden', 'You may not read payloads here.');
    await vi.advanceTimersByTimeAsync(1200);
    expect(decoder.state('1:0')).toMatchObject({ status: 'unasked', final: true });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toBe(2);
  });
});

describe('what is kept', () => {
  test('is bounded by bytes', async () => {
    const cache = createOpenedCache(40_000);
    const { decoder } = setUp((ref) => sealed('x'.repeat(2000)).answer(ref), cache);
    for (let id = 1; id <= 50; id += 1) decoder.view(`${id}:0`);
    await vi.advanceTimersByTimeAsync(100);
    expect(cache.bytes).toBeLessThanOrEqual(40_000);
    expect(cache.bytes).toBeGreaterThan(0);
    // What is in view is held by the view, whatever the cache dropped.
    expect(decoder.state('1:0').status).toBe('answered');
  });
});

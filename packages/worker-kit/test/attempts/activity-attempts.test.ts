import { block } from '@temporal-kms/scripts/block';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AttemptOptions } from '../../src/attempts/activity-attempt.ts';
import { ActivityAttempts } from '../../src/attempts/activity-attempts.ts';
import type { KmsCodecOptions } from '@temporal-kms/kms-codec';
import { codecWith, cryptoKey, json, valueOf } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const minute = 60_000;
const ids = { workflowId: 'order-1', activityId: '1' };
/** Returns a new context object, as the SDK creates for each task. */
const newContext = () => ({ type: 'activity' as const, namespace: 'pay', ...ids });
const rule = { pay: { encrypt: cryptoKey('pay') } };

afterEach(() => void vi.useRealTimers());

/** Returns a worker's codec, a payload whose key the codec has not unwrapped, and the key service. */
async function worker(waitMs?: KmsCodecOptions['waitMs']) {
  const keyService = new FakeKeyService();
  const [payload] = await codecWith(rule, { keyService }).codec.encode([json('input')], newContext());
  const attempts = new ActivityAttempts();
  attempts.isComplete = true;
  const { codec } = codecWith(rule, { keyService, waitMs });
  keyService.latencyMs = 10 * 24 * 60 * minute;
  return { keyService, attempts, codec: codec.forWorker(attempts), payload: payload! };
}

/** Decodes an activity's input on a simulated clock, and records the second in which each event happens. */
async function decodeInput(
  terms: Partial<AttemptOptions>,
  waitMs?: KmsCodecOptions['waitMs'],
  answersAfterMs?: number,
) {
  const { keyService, attempts, codec, payload } = await worker(waitMs);
  if (answersAfterMs !== undefined) keyService.latencyMs = answersAfterMs;
  vi.useFakeTimers();
  const begun = Date.now();
  const seconds = () => Math.round((Date.now() - begun) / 1_000);
  const beats: number[] = [];
  const heartbeat = () => void beats.push(seconds());
  const options = { limitMs: 10 * minute, heartbeatTimeoutMs: undefined, isLast: false, heartbeat, ...terms };
  attempts.start('token', ids, options);
  const outcome: { at?: number; of?: unknown } = {};
  const end = (of: unknown) => Object.assign(outcome, { at: seconds(), of });
  codec.decode([payload], newContext()).then(
    ([decoded]) => end(valueOf(decoded)),
    ({ code }: { code: unknown }) => end(code),
  );
  return { attempts, outcome, beats };
}

describe('decoding an activity’s input under a key that is not unwrapped yet', () => {
  it.each([
    ['60 s, so that another worker can get the task', {}, undefined, 60],
    ['half of the attempt’s time if that is less', { limitMs: 40_000 }, undefined, 20],
    ['all but the last second of a final attempt’s time', { isLast: true }, undefined, 599],
    ['waitMs.activity if that is set, even in a final attempt', { isLast: true }, { activity: 5_000 }, 5],
  ])('waits for Cloud KMS for %s', async (_, terms, waitMs, seconds) => {
    const { outcome } = await decodeInput(terms, waitMs);
    await vi.advanceTimersByTimeAsync(11 * minute);
    expect(outcome).toEqual({ at: seconds, of: 'kms_unavailable' });
  });

  it('causes heartbeats within the heartbeat timeout, and a heartbeat at the end of the wait', async () => {
    const { outcome, beats } = await decodeInput({ heartbeatTimeoutMs: 9_000 }, undefined, 10_000);
    await vi.advanceTimersByTimeAsync(minute);
    expect(outcome).toEqual({ at: 10, of: 'input' });
    expect(beats).toEqual([3, 6, 9, 10]);
  });

  it('causes no heartbeat if Cloud KMS responds soon', async () => {
    const { outcome, beats } = await decodeInput({ heartbeatTimeoutMs: 9_000 }, undefined, 1_000);
    await vi.advanceTimersByTimeAsync(minute);
    expect([outcome, beats]).toEqual([{ at: 1, of: 'input' }, []]);
  });

  it.each([
    ['stops waiting when Temporal no longer knows the attempt', 'gone', { isLast: true }, 5],
    ['stops waiting at the worker’s shutdown if another attempt follows', 'worker-shutdown', {}, 5],
    [
      'continues to wait at the worker’s shutdown if no other attempt follows',
      'worker-shutdown',
      { isLast: true },
      30,
    ],
    ['continues to wait when a cancellation is requested, because the activity handles it', 'other', {}, 30],
  ] as const)('%s', async (_, reason, terms, at) => {
    const { attempts, outcome } = await decodeInput(terms, undefined, 30_000);
    await vi.advanceTimersByTimeAsync(5_000);
    attempts.cancel('token', reason);
    await vi.advanceTimersByTimeAsync(minute);
    expect(outcome).toEqual({ at, of: at === 30 ? 'input' : 'kms_unavailable' });
  });

  it.each([
    ['in a long wait', 0],
    ['in a wait that begins in the last second', 19_500],
  ])(
    'fails in a final attempt before a stopping worker abandons the attempt, even %s',
    async (_, startsAtMs) => {
      const { attempts, codec, payload } = await worker();
      vi.useFakeTimers();
      attempts.shutDown(20_000);
      await vi.advanceTimersByTimeAsync(startsAtMs);
      const unlimited = { heartbeatTimeoutMs: undefined, isLast: true, heartbeat: undefined };
      attempts.start('token', ids, { limitMs: 10 * minute, ...unlimited });
      const failed = vi.fn<(error: unknown) => void>();
      codec.decode([payload], newContext()).catch(failed);
      await vi.advanceTimersByTimeAsync(19_900 - startsAtMs);
      expect(failed).toHaveBeenCalledWith(expect.objectContaining({ code: 'kms_unavailable' }));
    },
  );

  it.each([
    ['its time limit', { limitMs: 500 }],
    ['its heartbeat timeout', { limitMs: minute, heartbeatTimeoutMs: 500 }],
  ])('is refused if the process was stalled beyond %s, even if Cloud KMS has responded', async (_, terms) => {
    const { keyService, attempts, codec, payload } = await worker();
    keyService.latencyMs = 1;
    const unwrap = keyService.unwrap.bind(keyService);
    // Stalls the process when the response has arrived, before any timer of the wait can fire.
    vi.spyOn(keyService, 'unwrap').mockImplementationOnce(async (request) => {
      const response = await unwrap(request);
      block(1_000);
      return response;
    });
    const noHeartbeats = { heartbeatTimeoutMs: undefined, isLast: true, heartbeat: undefined };
    attempts.start('token', ids, { ...noHeartbeats, ...terms });
    await expect(codec.decode([payload], newContext())).rejects.toMatchObject({ code: 'kms_unavailable' });
    // The next attempt needs no Cloud KMS call.
    expect(await codec.decode([payload], newContext())).toHaveLength(1);
  });
});

describe('decoding an activity’s result', () => {
  it('waits only as long as a workflow task may wait, even in the worker that ran the activity', async () => {
    const { keyService, attempts, codec, payload } = await worker({ other: 300, activity: minute });
    const begun = performance.now();
    const options = { limitMs: minute, heartbeatTimeoutMs: undefined, isLast: true, heartbeat: undefined };
    attempts.start('token', ids, options);
    const context = newContext();
    expect(await codec.decode([], context)).toEqual([]);
    keyService.failing = 'kms_unavailable';
    keyService.latencyMs = 10;
    await expect(codec.decode([payload], newContext())).rejects.toMatchObject({ code: 'kms_unavailable' });
    expect(performance.now() - begun).toBeLessThan(10_000);
    // The input's context still belongs to the attempt.
    expect(attempts.of(context)).toBeDefined();
  });

  it('waits as long as an activity may wait if the worker does not report its activity tasks', async () => {
    const { keyService, attempts, codec, payload } = await worker({ other: 10, activity: minute });
    attempts.isComplete = false;
    keyService.latencyMs = 300;
    expect(await codec.decode([payload], newContext())).toHaveLength(1);
  });
});

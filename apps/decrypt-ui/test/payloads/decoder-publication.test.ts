import { payloadRefOf } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PayloadState } from '../../src/payloads/decoder-store.ts';
import { createDecoder } from '../../src/payloads/decoder.ts';
import { createPlaintextCache } from '../../src/payloads/reveal/plaintext-cache.ts';
import type { PayloadAccess } from '../../src/payloads/reveal/reveals.ts';
import { encrypted } from '../fixtures/payloads.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const locked: PayloadAccess = { status: 'locked' };
const revealedBy = (id: string): PayloadAccess => ({
  status: 'open',
  grant: { id, name: id, until: Infinity, target: { kind: 'namespace', namespace: 'n' } },
});

/** Returns a decoder whose answers arrive when the test sends them, and a record of everything that it publishes. */
function setUp() {
  let access: PayloadAccess = revealedBy('a');
  const listeners = new Set<() => void>();
  const requests: string[][] = [];
  const streams: ((refs: readonly string[]) => void)[] = [];
  const cache = createPlaintextCache();
  const decoder = createDecoder({
    cache,
    scope: 'run',
    access: {
      of: () => access,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    // Ignores the signal, so that late answers always arrive. The request ends with the test.
    decode: async function* decode(refs) {
      requests.push([...refs]);
      const request = `request ${requests.length}`;
      for (;;) {
        const arrived = await new Promise<readonly string[]>((resolve) => streams.push(resolve));
        yield* arrived.map((ref) => encrypted(request).answer(ref));
      }
    },
  });
  const published: string[][] = [];
  const states: PayloadState[] = [];
  decoder.store.subscribe((now, before) => {
    if (now.payloads === before.payloads) return;
    published.push([...now.payloads.keys()]);
    states.push(...now.payloads.values());
  });
  return {
    decoder,
    cache,
    requests,
    published,
    /** Returns what has been published, by payload and request. */
    answers: () =>
      states.flatMap((state) =>
        state.status === 'answered' && state.result.ok
          ? `${state.result.ref} of ${JSON.parse(atob(state.result.payload.data))}`
          : [],
      ),
    /** Delivers answers to every request in flight. */
    arrive: async (...refs: string[]) => {
      for (const send of streams.splice(0)) send(refs);
      // Only promises settle; no timer fires.
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    },
    /** Changes which payloads the person may see, and by default notifies the decoder. */
    change: (next: PayloadAccess, { notify = true } = {}) => {
      access = next;
      if (notify) for (const listener of listeners) listener();
    },
  };
}

/** Views two payloads. The first payload is published, and the answer for the second payload waits for the next frame. */
async function withPending() {
  const set = setUp();
  const leaves = [payloadRefOf(1, 0), payloadRefOf(2, 0)].map((ref) => set.decoder.view(ref));
  await vi.advanceTimersByTimeAsync(1);
  await set.arrive('1:0');
  await vi.advanceTimersByTimeAsync(1);
  await set.arrive('2:0');
  expect(set.published).toEqual([['1:0']]);
  return { ...set, leaves };
}

describe('answers that arrive together', () => {
  test('are published together', async () => {
    const { decoder, arrive, published } = setUp();
    const refs = Array.from({ length: 200 }, (_, index) => payloadRefOf(index + 1, 0));
    for (const ref of refs) decoder.view(ref);
    await vi.advanceTimersByTimeAsync(1);
    await arrive(...refs);
    await vi.advanceTimersByTimeAsync(1000);
    expect(published).toEqual([refs]);
  });

  test('are published at the end of the frame if other answers were published at its start', async () => {
    const { published } = await withPending();
    await vi.advanceTimersByTimeAsync(14);
    expect(published).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2);
    expect(published).toEqual([['1:0'], ['1:0', '2:0']]);
  });
});

test('requests the revealed payloads immediately', async () => {
  const { decoder, change, requests } = setUp();
  change(locked);
  for (const ref of [payloadRefOf(1, 0), payloadRefOf(2, 0)]) decoder.view(ref);
  change(revealedBy('a'));
  await vi.advanceTimersByTimeAsync(1);
  change(locked);
  change(revealedBy('b'));
  // A payload that comes into view just after the reveal does not delay the other payloads.
  decoder.view(payloadRefOf(3, 0));
  await vi.advanceTimersByTimeAsync(1);
  expect(requests).toEqual([
    ['1:0', '2:0'],
    ['1:0', '2:0', '3:0'],
  ]);
});

describe('an answer that waits for its publication', () => {
  type Pending = Awaited<ReturnType<typeof withPending>>;
  const attacks: Readonly<Record<string, (pending: Pending) => void>> = {
    'the payloads are locked': ({ change }) => change(locked),
    'the permission ends': ({ change }) => change({ status: 'refused' }),
    'all plaintext is cleared': ({ cache }) => cache.clear(),
    'another reveal replaces its reveal': ({ change }) => change(revealedBy('b')),
    'its reveal ends, although no timer has reported that': ({ change }) => change(locked, { notify: false }),
    'another reveal replaces its reveal, although nothing has reported that': ({ change }) =>
      change(revealedBy('b'), { notify: false }),
    'it leaves the view': ({ leaves }) => leaves[1]!(),
    'the run leaves the page': ({ decoder }) => decoder.stop(),
  };
  for (const [name, attack] of Object.entries(attacks)) {
    test(`is never published after ${name}`, async () => {
      const pending = await withPending();
      const { arrive, answers } = pending;
      attack(pending);
      // Answers that are still in flight arrive too.
      await arrive('2:0');
      await vi.advanceTimersByTimeAsync(15);
      await arrive('1:0', '2:0');
      await vi.advanceTimersByTimeAsync(10_000);
      // After another reveal, another request decrypts the payload.
      expect(answers()).toContain('1:0 of request 1');
      expect(answers()).not.toContain('2:0 of request 1');
    });
  }

  test('is removed when the payload is locked, even if a component has already read it', async () => {
    const { decoder, change, published } = await withPending();
    expect(decoder.state(payloadRefOf(2, 0)).status).toBe('answered');
    const before = published.length;
    change(locked);
    expect(published).toHaveLength(before + 1);
    expect(decoder.state(payloadRefOf(2, 0))).toEqual({ status: 'locked' });
  });

  test('is removed from a component that has read it, even if no other answer arrives', async () => {
    const { decoder, cache, arrive, published } = setUp();
    decoder.view(payloadRefOf(1, 0));
    await vi.advanceTimersByTimeAsync(1);
    await arrive('1:0');
    expect(published).toEqual([]);
    expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
    cache.clear();
    expect(published).toEqual([[]]);
    expect(decoder.state(payloadRefOf(1, 0))).toEqual({ status: 'waiting' });
  });

  test('is not published with the new answers after the run is opened again', async () => {
    const { decoder, cache, arrive, published } = await withPending();
    decoder.stop();
    cache.clear();
    published.length = 0;
    decoder.view(payloadRefOf(3, 0));
    await vi.advanceTimersByTimeAsync(50);
    await arrive('3:0');
    await vi.advanceTimersByTimeAsync(1000);
    expect(published).toEqual([['3:0']]);
  });
});

import { setImmediate } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { block } from '@temporal-kms/scripts/block';
import { describe, expect, it } from 'vitest';
import { GuardedStore } from '../../src/branch-keys/guarded-store.ts';
import { ABSENT, type BranchKeyStore, BranchKeyStoreError } from '../../src/branch-keys/store.ts';
import { withResolvers } from '../../src/maybe-promise.ts';

const value = new Uint8Array([1]);

/** A store in memory whose operations fail or hang on demand. */
function guarded() {
  const clock = { time: 0 };
  const events: string[] = [];
  const calls: string[] = [];
  const state: { load?: unknown; replace?: unknown } = {};
  const answer = async (operation: 'load' | 'replace') => {
    calls.push(operation);
    const failure = state[operation];
    if (failure instanceof Promise) await failure;
    else if (failure !== undefined) throw failure;
  };
  const store: BranchKeyStore = {
    load: () => answer('load').then(() => ({ value, generation: '1' })),
    replace: () => answer('replace').then(() => true),
    close: async () => undefined,
  };
  const observer = {
    branchKeyStoreFailed: ({ operation, code }: { operation: string; code: string }) =>
      void events.push(`${operation} ${code}`),
    branchKeyStoreRecovered: ({ operation }: { operation: string }) => void events.push(`${operation} works`),
  };
  return { guard: new GuardedStore(store, observer, () => clock.time), store, clock, events, calls, state };
}

const gone = new BranchKeyStoreError('unavailable', 'gone');

describe('GuardedStore', () => {
  it('reports an outage once when it starts and once when it ends', async () => {
    const { guard, clock, events, state } = guarded();
    state.load = gone;
    for (let n = 0; n < 10; n += 1) {
      await expect(guard.load('id')).rejects.toMatchObject({ code: 'unavailable' });
      clock.time += 60_000;
    }
    state.load = undefined;
    expect(await guard.load('id')).toEqual({ value, generation: '1' });
    await guard.load('id');
    expect(events).toEqual(['load unavailable', 'load works']);
  });

  it('makes calls fail immediately for 20 s after a failure', async () => {
    const { guard, clock, calls, state } = guarded();
    state.load = gone;
    for (let n = 0; n < 10; n += 1) await guard.load('id').catch(() => undefined);
    expect(calls).toHaveLength(1);
    clock.time += 20_000;
    await Promise.allSettled([guard.load('id'), guard.load('id'), guard.load('id')]);
    expect(calls).toHaveLength(2);
  });

  it('makes urgent calls fail immediately until the outage ends', async () => {
    const { guard, clock, calls, state } = guarded();
    state.load = gone;
    await guard.load('id', { isUrgent: true }).catch(() => undefined);
    clock.time += 3_600_000;
    await expect(guard.load('id', { isUrgent: true })).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toHaveLength(1);
  });

  it('still reads during an outage of writes, and does not end the outage after a successful read', async () => {
    const { guard, events, state } = guarded();
    state.replace = new BranchKeyStoreError('not_permitted', 'read-only');
    await expect(guard.replace('id', value, ABSENT)).rejects.toMatchObject({ code: 'not_permitted' });
    expect(await guard.load('id')).toBeDefined();
    await guard.replace('id', value, ABSENT).catch(() => undefined);
    expect(events).toEqual(['replace not_permitted']);
  });

  it('reports an outage when the store does not respond in time, and makes no further calls while the first call hangs', async () => {
    const { guard, clock, events, calls, state } = guarded();
    const { promise, resolve } = withResolvers<void>();
    // A call that has ended never counts as hanging, even after its time limit.
    await guard.load('id', { time: { leftMs: 10 } });
    state.load = promise;
    const time = { leftMs: 10 };
    await expect(guard.load('id', { time })).rejects.toMatchObject({ code: 'unavailable' });
    expect(time.leftMs).toBeLessThanOrEqual(0);
    clock.time += 60_000;
    await expect(guard.load('id')).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toHaveLength(2);
    resolve();
    await promise;
    state.load = undefined;
    await guard.load('id').catch(() => undefined);
    clock.time += 60_000;
    expect(await guard.load('id')).toBeDefined();
    expect(events).toEqual(['load unavailable', 'load works']);
  });

  it('stops waiting for a call once the caller’s time has run out, but waits longer if the caller has no time limit', async () => {
    const { guard, events, state } = guarded();
    const { promise, resolve } = withResolvers<void>();
    Object.assign(state, { load: promise, replace: promise });
    const answer = guard.load('id');
    const urgent = guard.replace('id', value, ABSENT, { time: { leftMs: 0 } });
    await expect(urgent).rejects.toMatchObject({ code: 'unavailable' });
    resolve();
    expect(await answer).toBeDefined();
    expect(events).toEqual(['replace unavailable']);
  });

  it('works without an observer', async () => {
    const { clock, state, store } = guarded();
    const guard = new GuardedStore(store, {}, () => clock.time);
    state.load = gone;
    await expect(guard.load('id')).rejects.toBe(gone);
    state.load = undefined;
    clock.time += 20_000;
    expect(await guard.load('id')).toBeDefined();
  });

  it('does not mistake a stall of this process for an outage', async () => {
    const { guard, state, events } = guarded();
    const { port1, port2 } = new MessageChannel();
    const received = new Promise((resolve) => void port1.once('message', resolve));
    // Like a response in several parts, the answer takes a few more turns of the event loop to complete.
    state.load = received.then(() => setImmediate()).then(() => setImmediate());
    // After this phase, the event loop runs timers and then receives messages.
    await setImmediate();
    const answer = guard.load('id', { time: { leftMs: 500 } });
    port2.postMessage('answer', []);
    block(900);
    expect(await answer).toBeDefined();
    expect(events).toEqual([]);
    port1.close();
  });

  it('throws unavailable for an error that is not a BranchKeyStoreError', async () => {
    const { guard, state } = guarded();
    state.load = new TypeError('bug');
    await expect(guard.load('id')).rejects.toMatchObject({
      name: 'BranchKeyStoreError',
      code: 'unavailable',
      cause: state.load,
    });
  });
});

import type { DecodeResult } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { nameOf } from '../errors.ts';
import { LARGE_DATA, withDeferredData } from '../json/deferred-data.ts';
import { payloadToJson } from '../json/payload-json.ts';
import type { MemoryLease } from '../memory/budget.ts';
import { inCompletionOrder } from './completion-order.ts';
import { KeyBudgetSpent } from './key-budget.ts';
import type { Payload } from '../payload.ts';
import { type Opened, type Opener, openOne, type OpenOptions } from './open-one.ts';
import { OVERHEAD_BYTES, UNDER_WAY_BYTES } from './under-way.ts';
import type { Lifetime } from './lifetime.ts';
import { StreamBudget } from './stream-budget.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Wanted } from './wanted.ts';

/**
 * Opens payloads, those that are ready first. Leaves out what its budget for inner layers doesn't reach. Ends early, with refs unanswered, when its time is over or a
 * payload can't be read a second time: the caller asks again for what it didn't get.
 */
export async function* openWanted(
  codec: Opener,
  log: Logger,
  wanted: readonly Wanted[],
  { signal, over, step, memory }: Lifetime,
  access: Omit<OpenOptions, 'signal' | 'budget'>,
): AsyncGenerator<DecodeResult, void> {
  const leases = new Set<MemoryLease>();
  const results = inCompletionOrder(wanted, {
    start: async (one): Promise<Ready | 'left out' | undefined> => {
      const { ref } = one;
      // Whoever has gone away, or is signed in no more, gets nothing decrypted any more.
      if (over() !== undefined) return undefined;
      const lease = memory.lease();
      leases.add(lease);
      try {
        const located = await one.load(signal);
        const budget = new StreamBudget(lease, signal);
        const options = { ...access, signal, budget };
        const opened = await unlessAborted(openOne(codec, log, located, options), signal);
        if (over() !== undefined) return undefined;
        const result = opened.ok ? resultOf(ref, opened) : { ref, ...opened };
        return { result, lease };
      } catch (error) {
        lease.end();
        if (error instanceof KeyBudgetSpent) return 'left out';
        if (!signal.aborted)
          log.warn({ error: nameOf(error) }, 'decoding ended early: a page could not be read again');
        return undefined;
      }
    },
    weigh: ({ bytes }) => OVERHEAD_BYTES + bytes,
    limit: UNDER_WAY_BYTES,
  });
  try {
    for await (const ready of results) {
      if (ready === undefined) return;
      if (ready === 'left out') continue;
      try {
        await step();
      } catch {
        return;
      }
      yield ready.result;
      // Asked for the next, the reader has taken this one.
      ready.lease.end();
      leases.delete(ready.lease);
    }
  } finally {
    for (const lease of leases) lease.end();
  }
}

interface Ready {
  readonly result: DecodeResult;
  readonly lease: MemoryLease;
}

function resultOf(ref: string, opened: Extract<Opened, { ok: true }>): DecodeResult {
  const { payload } = opened;
  const { metadata = {}, data = '' } = payloadToJson(isLarge(payload) ? { ...payload, data: null } : payload);
  const result = { ref, ...opened, payload: { metadata, data } };
  return isLarge(payload) ? withDeferredData(result, payload.data) : result;
}

const isLarge = (payload: Payload): payload is Payload & { data: Uint8Array } =>
  (payload.data?.length ?? 0) >= LARGE_DATA;

import type { DecodeResult } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { nameOf } from '../error-text.ts';
import { payloadToJson } from '../json/payload-json.ts';
import { inCompletionOrder } from './completion-order.ts';
import { KeyBudgetSpent } from './key-budget.ts';
import type { Payload } from '../payload.ts';
import { type Opener, openOne, type OpenOptions } from './open-one.ts';
import { OVERHEAD_BYTES, UNDER_WAY_BYTES } from './under-way.ts';
import type { Lifetime } from './lifetime.ts';
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
  { signal, over, step }: Lifetime,
  { authorizeNamespace, onInnerLayer, innerKmsCalls }: Omit<OpenOptions, 'signal' | 'budget'>,
): AsyncGenerator<DecodeResult, void> {
  const options = { signal, authorizeNamespace, onInnerLayer, innerKmsCalls };
  const results = inCompletionOrder(wanted, {
    start: async (one): Promise<DecodeResult | 'left out' | undefined> => {
      const { ref } = one;
      // Whoever has gone away, or is signed in no more, gets nothing decrypted any more.
      if (over() !== undefined) return undefined;
      try {
        const opened = await unlessAborted(openOne(codec, log, await one.load(signal), options), signal);
        if (over() !== undefined) return undefined;
        return opened.ok ? { ref, ...opened, payload: jsonOf(opened.payload) } : { ref, ...opened };
      } catch (error) {
        if (error instanceof KeyBudgetSpent) return 'left out';
        if (!signal.aborted)
          log.warn({ error: nameOf(error) }, 'decoding ended early: a page could not be read again');
        return undefined;
      }
    },
    weigh: ({ bytes }) => OVERHEAD_BYTES + bytes,
    limit: UNDER_WAY_BYTES,
  });
  for await (const result of results) {
    if (result === undefined) return;
    if (result === 'left out') continue;
    try {
      await step();
    } catch {
      return;
    }
    yield result;
  }
}

const jsonOf = (payload: Payload): { metadata: Record<string, string>; data: string } => {
  const { metadata = {}, data = '' } = payloadToJson(payload);
  return { metadata, data };
};

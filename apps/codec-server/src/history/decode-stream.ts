import type { DecodeFrame, DecodeResult, PayloadRef } from '@temporal-kms/codec-api';
import { payloadToJson } from '@temporal-kms/histories/payloads';
import type { Logger } from 'pino';
import { type HttpError, isAuditUnavailable, nameOf } from '../errors.ts';
import { hasLargeData, withDeferredData } from '../json/bytes.ts';
import type { MemoryLease } from '../memory.ts';
import { SENT_OBJECT_COST } from '../storage/retrieval.ts';
import { unlessAborted } from './single-flight.ts';
import {
  type DecryptOptions,
  decryptPayload,
  type DecryptResult,
  type HistoryCodec,
  type RevealHooks,
} from './decrypt-payload.ts';
import type { PayloadRequest } from './locate-payloads.ts';
import {
  IN_FLIGHT_OVERHEAD_BYTES,
  KmsCallBudget,
  KmsCallBudgetExhausted,
  LeasedPlaintext,
  MAX_IN_FLIGHT_BYTES,
  streamEnd,
  type StreamLifetime,
} from './stream-limits.ts';

/**
 * Yields the results for the requested payloads as they become ready. The last frame states whether all
 * results were sent; if not, the caller must request the missing refs again.
 */
export async function* decodeFrames(
  codec: HistoryCodec<'decode'>,
  log: Logger,
  requests: readonly PayloadRequest[],
  lifetime: StreamLifetime,
  { authorizeNamespace, onInnerLayer, recordObject }: RevealHooks,
): AsyncGenerator<DecodeFrame, void> {
  try {
    const budget = new KmsCallBudget(codec);
    const accepted = requests.slice(0, budget.take(requests.map(({ held }) => [held])));
    for (const { release } of requests.slice(accepted.length)) release?.();
    const { innerKmsCalls } = budget;
    let sent = 0;
    for await (const result of decodeResults(codec, log, accepted, lifetime, {
      authorizeNamespace,
      onInnerLayer,
      recordObject,
      innerKmsCalls,
    })) {
      sent += 1;
      yield result;
    }
    if (sent === requests.length) {
      yield { type: 'end', reason: 'complete' };
      return;
    }
    const reason = lifetime.interruption() ?? (sent + budget.skipped === accepted.length ? 'limit' : 'error');
    if (reason === 'disconnected') return;
    const message =
      reason === 'error'
        ? { message: 'A page of the history could not be read again; retry the request.' }
        : {};
    yield { type: 'end', reason, ...message };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'decode');
    if (end !== undefined) yield { type: 'end', ...end };
  } finally {
    for (const { release } of requests) release?.();
  }
}

interface ReadyResult {
  readonly result: DecodeResult;
  readonly lease: MemoryLease;
  readonly budget: LeasedPlaintext;
}

/**
 * Skips payloads whose inner layers exceed the Cloud KMS budget. Ends early if the stream's lifetime expires
 * or a payload cannot be read again.
 * @throws HttpError `audit_unavailable`
 */
async function* decodeResults(
  codec: HistoryCodec,
  log: Logger,
  requests: readonly PayloadRequest[],
  { signal: lifetime, interruption, checkpoint, memory }: StreamLifetime,
  access: Omit<DecryptOptions, 'signal' | 'budget'>,
): AsyncGenerator<DecodeResult, void> {
  // This signal is also aborted if the stream ends early, so that no object is read afterwards.
  const ended = new AbortController();
  const signal = AbortSignal.any([lifetime, ended.signal]);
  const leases = new Set<MemoryLease>();
  const results = inCompletionOrder(requests, {
    start: async (request): Promise<ReadyResult | HttpError | 'skipped' | undefined> => {
      // Does not decrypt for a caller that has disconnected or whose token has expired.
      if (interruption() !== undefined) return undefined;
      const lease = memory.lease();
      leases.add(lease);
      try {
        const stored = await request.load(signal);
        const budget = new LeasedPlaintext(lease, signal, SENT_OBJECT_COST);
        const options = { ...access, signal, budget };
        const decrypted = await unlessAborted(decryptPayload(codec, log, stored, options), signal);
        if (interruption() !== undefined) return undefined;
        const result = decrypted.ok
          ? decodeResult(request.ref, decrypted)
          : { ref: request.ref, ...decrypted };
        return { result, lease, budget };
      } catch (error) {
        lease.end();
        if (error instanceof KmsCallBudgetExhausted) return 'skipped';
        if (isAuditUnavailable(error)) return error;
        if (!signal.aborted)
          log.warn({ error: nameOf(error) }, 'decode stream ended early: a page could not be read again');
        return undefined;
      } finally {
        // From here, the lease covers only the memory that the result still holds.
        request.release?.();
      }
    },
    weigh: ({ bytes }) => IN_FLIGHT_OVERHEAD_BYTES + bytes,
    limit: MAX_IN_FLIGHT_BYTES,
  });
  try {
    for await (const ready of results) {
      if (ready === undefined) return;
      if (ready === 'skipped') continue;
      if (ready instanceof Error) throw ready;
      try {
        await checkpoint();
      } catch {
        return;
      }
      yield ready.result;
      // This code runs when the consumer has written this result and requests the next result.
      ready.budget.freeObjects();
      ready.lease.end();
      leases.delete(ready.lease);
    }
  } finally {
    ended.abort();
    for (const lease of leases) lease.end();
  }
}

function decodeResult(ref: PayloadRef, decrypted: Extract<DecryptResult, { ok: true }>): DecodeResult {
  const { payload } = decrypted;
  const isLarge = hasLargeData(payload);
  const { metadata = {}, data = '' } = payloadToJson(isLarge ? { ...payload, data: null } : payload);
  const result = { ref, ...decrypted, payload: { metadata, data } };
  return isLarge ? withDeferredData(result, payload.data) : result;
}

interface CompletionOrderOptions<Item, Result> {
  /** Processes one item. Must not reject. */
  readonly start: (item: Item) => Promise<Result>;
  readonly weigh: (item: Item) => number;
  /**
   * A new item starts only while the items in flight and the results not yet consumed together weigh less
   * than this.
   */
  readonly limit: number;
}

/** Yields the results as they become ready. */
export async function* inCompletionOrder<Item, Result>(
  items: readonly Item[],
  { start, weigh, limit }: CompletionOrderOptions<Item, Result>,
): AsyncGenerator<Result, void> {
  const waiting = items.values();
  const ready: { result: Result; weight: number }[] = [];
  let wake = Promise.withResolvers<void>();
  let totalWeight = 0;
  let left = items.length;

  const begin = async (item: Item): Promise<void> => {
    const weight = weigh(item);
    totalWeight += weight;
    ready.push({ result: await start(item), weight });
    wake.resolve();
  };

  while (left > 0) {
    for (;;) {
      if (totalWeight >= limit) break;
      const next = waiting.next();
      if (next.done) break;
      void begin(next.value);
    }
    await wake.promise;
    wake = Promise.withResolvers<void>();
    for (let done = ready.shift(); done !== undefined; done = ready.shift()) {
      left -= 1;
      yield done.result;
      totalWeight -= done.weight;
    }
  }
}

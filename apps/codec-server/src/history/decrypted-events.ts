import { setTimeout as delay } from 'node:timers/promises';
import { type KeyUse, type PayloadRef, payloadRefOf, type ReasonCode } from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type ProtoEvent,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import type { Logger } from 'pino';
import type { MemoryLease } from '../memory.ts';
import {
  type DecryptOptions,
  decryptPayload,
  type DecryptResult,
  type HistoryCodec,
  type RevealHooks,
} from './decrypt-payload.ts';
import { type EventPages, prefetch } from './event-pages.ts';
import type { Run } from './reader.ts';
import { unlessAborted } from './single-flight.ts';
import {
  IN_FLIGHT_OVERHEAD_BYTES,
  type KmsCallBudget,
  KmsCallBudgetExhausted,
  LeasedPlaintext,
  MAX_IN_FLIGHT_BYTES,
  type StreamLifetime,
} from './stream-limits.ts';

export interface DecryptedPayload {
  readonly ref: PayloadRef;
  /** The payload before decryption. */
  readonly stored: StoredPayload;
  readonly result: DecryptResult;
}

/** An event and the results for all its payloads, in the order of their refs. */
export interface DecryptedEvent {
  readonly eventId: number;
  readonly event: ProtoEvent;
  readonly payloads: readonly DecryptedPayload[];
}

export interface DecryptEventsOptions {
  readonly codec: HistoryCodec;
  readonly log: Logger;
  readonly run: Run;
  readonly record: RevealRecord;
  readonly lifetime: StreamLifetime;
  /**
   * The request's budget of Cloud KMS calls. Without a budget, only the caller's allowance limits the
   * calls.
   */
  readonly budget?: KmsCallBudget;
}

/** Authorizes decryption of other namespaces' messages, and counts every payload for the audit. */
export interface RevealRecord extends RevealHooks {
  done(key: KeyUse | undefined, payloads?: number, namespace?: string): void;
  refused(
    code: ReasonCode,
    of: { readonly ref?: PayloadRef; readonly key?: KeyUse },
    namespace?: string,
  ): void;
}

/**
 * Yields events in the order of the pages, and decrypts many payloads ahead. Ends early if the budget of
 * Cloud KMS calls is used up.
 * @throws the lifetime's reason as soon as the lifetime ends, even while a Cloud KMS call is in flight
 */
export async function* decryptEvents(
  { codec, log, run, record, lifetime, budget }: DecryptEventsOptions,
  pages: EventPages,
): AsyncGenerator<DecryptedEvent, void> {
  const home = workflowContext(run);
  const { memory } = lifetime;
  // This signal is also aborted if the stream ends early, so that no object is read afterwards.
  const ended = new AbortController();
  const signal = AbortSignal.any([lifetime.signal, ended.signal]);
  const { authorizeNamespace, onInnerLayer, recordObject } = record;
  const innerKmsCalls = budget?.innerKmsCalls;
  const shared = { signal, authorizeNamespace, onInnerLayer, recordObject, innerKmsCalls };
  const queue = new EventQueue(record, signal);
  try {
    for await (const page of prefetch(pages)) {
      if (budget === undefined) await untilAllowed(codec, signal);
      const located = page.map((event) => ({ event, payloads: eventPayloads(event, home) }));
      const count = budget?.take(located.map(({ payloads }) => payloads)) ?? located.length;
      for (const { event, payloads } of located.slice(0, count)) {
        await lifetime.checkpoint();
        // Only the first event may borrow memory, because the consumer needs this event next, and later
        // events must not block it.
        const lease = memory.lease(queue.isEmpty());
        const options = { ...shared, budget: new LeasedPlaintext(lease, signal) };
        const decrypted = decryptEvent({ codec, log, options, lifetime }, event, payloads);
        queue.add({ decrypted, bytes: sizeOf(payloads), lease, budget: options.budget });
        while (queue.isFull()) if (!(yield* queue.take())) return;
      }
      while (!queue.isEmpty()) if (!(yield* queue.take())) return;
      if (count < located.length) return;
    }
  } finally {
    ended.abort();
    queue.end();
  }
}

/** Waits until the caller's allowance permits another Cloud KMS call. */
async function untilAllowed({ allowance }: HistoryCodec, signal: AbortSignal): Promise<void> {
  for (let wait = allowance?.waitMs() ?? 0; wait > 0; wait = allowance?.waitMs() ?? 0) {
    await delay(wait, undefined, { signal });
  }
}

const sizeOf = (payloads: readonly StoredPayload[]): number =>
  payloads.reduce((sum, { payload }) => sum + (payload.data?.length ?? 0), IN_FLIGHT_OVERHEAD_BYTES);

/** Returns undefined if an inner layer of a payload exceeds the budget of Cloud KMS calls. */
async function decryptEvent(
  {
    codec,
    log,
    options,
    lifetime,
  }: Pick<DecryptEventsOptions, 'codec' | 'log' | 'lifetime'> & { readonly options: DecryptOptions },
  event: ProtoEvent,
  payloads: readonly StoredPayload[],
): Promise<DecryptedEvent | undefined> {
  const eventId = eventIdOf(event);
  const pending: Promise<DecryptedPayload>[] = [];
  for (const [n, stored] of payloads.entries()) {
    // Decryption is synchronous if the data key is cached.
    if (n > 0) await lifetime.checkpoint();
    const decrypted = decryptPayload(codec, log, stored, options).then((result) => ({
      ref: payloadRefOf(eventId, n),
      stored,
      result,
    }));
    // Prevents an unhandled rejection, because `Promise.all` below runs only after all payloads have been
    // started.
    decrypted.catch(() => undefined);
    pending.push(decrypted);
  }
  try {
    return { eventId, event, payloads: await Promise.all(pending) };
  } catch (error) {
    if (error instanceof KmsCallBudgetExhausted) return undefined;
    throw error;
  }
}

interface QueuedEvent {
  readonly decrypted: Promise<DecryptedEvent | undefined>;
  readonly bytes: number;
  readonly lease: MemoryLease;
  readonly budget: LeasedPlaintext;
}

/** The events that are being decrypted, in the order of the pages. */
class EventQueue {
  readonly #record: RevealRecord;
  readonly #signal: AbortSignal;
  readonly #queue: QueuedEvent[] = [];
  #bytes = 0;

  constructor(record: RevealRecord, signal: AbortSignal) {
    this.#record = record;
    this.#signal = signal;
  }

  add(queued: QueuedEvent): void {
    // Prevents an unhandled rejection if the stream ends before `take`.
    queued.decrypted.catch(() => undefined);
    this.#queue.push(queued);
    this.#bytes += queued.bytes;
  }

  isFull(): boolean {
    return this.#bytes >= MAX_IN_FLIGHT_BYTES;
  }

  isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Ends the leases, which stops decryptions in progress. */
  end(): void {
    for (const { lease } of this.#queue.splice(0)) lease.end();
  }

  /**
   * Yields the first event, and holds its memory until the consumer requests the next event.
   * @returns false if the budget of Cloud KMS calls does not cover the event
   */
  async *take(): AsyncGenerator<DecryptedEvent, boolean> {
    const [first] = this.#queue;
    if (first === undefined) throw new RangeError('No event is being decrypted.');
    const event = await unlessAborted(first.decrypted, this.#signal);
    this.#queue.shift();
    this.#bytes -= first.bytes;
    if (event === undefined) {
      first.lease.end();
      return false;
    }
    this.#queue[0]?.lease.goFirst();
    for (const { ref, result } of event.payloads) {
      const { key, namespace } = result;
      if (result.ok) this.#record.done(key, 1, namespace);
      else this.#record.refused(result.reason, { ref, ...(key && { key }) }, namespace);
    }
    try {
      yield event;
      first.budget.freeObjects();
      return true;
    } finally {
      first.lease.end();
    }
  }
}

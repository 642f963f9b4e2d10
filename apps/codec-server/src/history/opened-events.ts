import { setTimeout as delay } from 'node:timers/promises';
import type { KeyUse, PayloadRef, ReasonCode } from '@temporal-kms/codec-api';
import type { Logger } from 'pino';
import { type SealedIn, sealedIn, workflowContext } from './context.ts';
import { eventIdOf, eventPayloads, type ProtoEvent } from './event.ts';
import type { MemoryLease } from '../memory/budget.ts';
import type { Found } from './message.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { type KeyBudget, KeyBudgetSpent } from './key-budget.ts';
import type { Lifetime } from './lifetime.ts';
import { type Located, type Opened, type Opener, openOne, type OpenOptions } from './open-one.ts';
import type { Run } from './reader.ts';
import { type EventPages, oneAhead } from './run-events.ts';
import { StreamBudget } from './stream-budget.ts';
import { OVERHEAD_BYTES, UNDER_WAY_BYTES } from './under-way.ts';

export interface OpenedPayload {
  readonly ref: string;
  /** As it stands in the event, still sealed. */
  readonly found: Found;
  readonly opened: Opened;
}

/** An event with each of its payloads opened, or the reason why not, in the order of their refs. */
export interface OpenedEvent {
  readonly eventId: number;
  readonly event: ProtoEvent;
  readonly payloads: readonly OpenedPayload[];
}

export interface OpenEventsOptions {
  readonly codec: Opener;
  readonly log: Logger;
  readonly run: Run;
  readonly record: RevealRecord;
  readonly lifetime: Lifetime;
  /** Absent: as many data keys as the events have, but no faster than the codec's allowance grows. */
  readonly budget?: KeyBudget;
}

/** Decides which other namespaces' messages may be opened, and counts every payload in the audit. */
interface RevealRecord extends Pick<OpenOptions, 'authorizeNamespace' | 'onInnerLayer'> {
  done(key: KeyUse | undefined, payloads?: number, namespace?: string): void;
  refused(
    code: ReasonCode,
    of: { readonly ref?: PayloadRef; readonly key?: KeyUse },
    namespace?: string,
  ): void;
}

/**
 * Opens events in the order in which they come, many payloads at a time. Ends early where the budget does.
 * @throws the lifetime's reason as soon as it is over, whatever Cloud KMS is waited for
 */
export async function* openEvents(
  { codec, log, run, record, lifetime, budget }: OpenEventsOptions,
  pages: EventPages,
): AsyncGenerator<OpenedEvent, void> {
  const home = workflowContext(run);
  const { signal, memory } = lifetime;
  const { authorizeNamespace, onInnerLayer } = record;
  const shared = { signal, authorizeNamespace, onInnerLayer, innerKmsCalls: budget?.innerKmsCalls };
  const underWay = new UnderWay(record, signal);
  try {
    for await (const page of oneAhead(pages)) {
      if (budget === undefined) await allowed(codec, signal);
      const located = page.map((event) => ({ event, payloads: locate(event, home) }));
      const count = budget?.take(located.map(({ payloads }) => payloads)) ?? located.length;
      for (const { event, payloads } of located.slice(0, count)) {
        await lifetime.step();
        // Events are given in their order: one that waits for others to be given must not hold up the first of them.
        const lease = memory.lease(underWay.isEmpty());
        const options = { ...shared, budget: new StreamBudget(lease, signal) };
        underWay.add(open({ codec, log, options, lifetime }, event, payloads), sizeOf(payloads), lease);
        while (underWay.isFull()) if (!(yield* underWay.take())) return;
      }
      while (!underWay.isEmpty()) if (!(yield* underWay.take())) return;
      if (count < located.length) return;
    }
  } finally {
    underWay.end();
  }
}

/** Waits until Cloud KMS may be asked again, where the caller has used up what they may ask. */
async function allowed({ allowance }: Opener, signal: AbortSignal): Promise<void> {
  for (let wait = allowance?.waitMs() ?? 0; wait > 0; wait = allowance?.waitMs() ?? 0) {
    await delay(wait, undefined, { signal });
  }
}

interface InEvent extends Located {
  readonly found: Found;
}

/** An event's payloads, each in the context that it was sealed in. */
function locate(event: ProtoEvent, home: SealedIn): readonly InEvent[] {
  return eventPayloads(event).map((found) => {
    const { payload, sealable, path } = found;
    return { found, payload, sealable, context: sealedIn(event, path, home) };
  });
}

const sizeOf = (payloads: readonly InEvent[]): number =>
  payloads.reduce((sum, { payload }) => sum + (payload.data?.length ?? 0), OVERHEAD_BYTES);

/** @returns undefined where the budget doesn't reach a layer inside one of the payloads */
async function open(
  {
    codec,
    log,
    options,
    lifetime,
  }: Pick<OpenEventsOptions, 'codec' | 'log' | 'lifetime'> & { readonly options: OpenOptions },
  event: ProtoEvent,
  all: readonly InEvent[],
): Promise<OpenedEvent | undefined> {
  const eventId = eventIdOf(event);
  const opening: Promise<OpenedPayload>[] = [];
  for (const [n, found] of all.entries()) {
    // Decryption is synchronous where the data key is at hand.
    if (n > 0) await lifetime.step();
    const one = openOne(codec, log, found, options).then((opened) => ({
      ref: `${eventId}:${n}`,
      found: found.found,
      opened,
    }));
    // Heard below, once all of them have begun.
    one.catch(() => undefined);
    opening.push(one);
  }
  try {
    return { eventId, event, payloads: await Promise.all(opening) };
  } catch (error) {
    if (error instanceof KeyBudgetSpent) return undefined;
    throw error;
  }
}

/** Events that are being opened, in their order. */
class UnderWay {
  readonly #record: OpenEventsOptions['record'];
  readonly #signal: AbortSignal;
  #queue: {
    readonly opened: Promise<OpenedEvent | undefined>;
    readonly bytes: number;
    readonly lease: MemoryLease;
  }[] = [];
  #bytes = 0;

  constructor(record: OpenEventsOptions['record'], signal: AbortSignal) {
    this.#record = record;
    this.#signal = signal;
  }

  add(opened: Promise<OpenedEvent | undefined>, bytes: number, lease: MemoryLease): void {
    // Heard again when it is taken, or not at all where the stream ends before.
    opened.catch(() => undefined);
    this.#queue.push({ opened, bytes, lease });
    this.#bytes += bytes;
  }

  isFull(): boolean {
    return this.#bytes >= UNDER_WAY_BYTES;
  }

  isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** What is still at work finds that nobody waits for it. */
  end(): void {
    for (const { lease } of this.#queue.splice(0)) lease.end();
  }

  /**
   * Gives the first event, and holds its memory until the next is asked for.
   * @returns false where there is none, since the budget of data keys doesn't reach it
   */
  async *take(): AsyncGenerator<OpenedEvent, boolean> {
    const [first] = this.#queue;
    if (first === undefined) throw new RangeError('nothing is under way');
    const event = await unlessAborted(first.opened, this.#signal);
    this.#queue.shift();
    this.#bytes -= first.bytes;
    if (event === undefined) {
      first.lease.end();
      return false;
    }
    this.#queue[0]?.lease.goFirst();
    for (const { ref, opened } of event.payloads) {
      const { key, namespace } = opened;
      if (opened.ok) this.#record.done(key, 1, namespace);
      else this.#record.refused(opened.reason, { ref, ...(key && { key }) }, namespace);
    }
    try {
      yield event;
      return true;
    } finally {
      first.lease.end();
    }
  }
}

import type { Logger } from 'pino';
import type { AuditRecord } from '../audit/audit.ts';
import { type SealedIn, sealedIn, workflowContext } from './context.ts';
import { eventIdOf, eventPayloads, type ProtoEvent } from './event.ts';
import type { Found } from './message.ts';
import { type Opened, type Opener, openOne } from './open-one.ts';
import type { Run } from './reader.ts';
import { type EventPages, oneAhead } from './run-events.ts';
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
  /** Told of every payload. */
  readonly record: Pick<AuditRecord, 'done' | 'refused'>;
}

/** Opens events in the order in which they come, many payloads at a time. */
export async function* openEvents(
  options: OpenEventsOptions,
  pages: EventPages,
): AsyncGenerator<OpenedEvent, void> {
  const home = workflowContext(options.run);
  const underWay = new UnderWay(options.record);
  for await (const page of oneAhead(pages)) {
    for (const event of page) {
      const found = eventPayloads(event);
      underWay.add(open(options, event, found, home), sizeOf(found));
      while (underWay.isFull()) yield await underWay.take();
    }
    while (!underWay.isEmpty()) yield await underWay.take();
  }
}

const sizeOf = (found: readonly Found[]): number =>
  found.reduce((sum, { payload }) => sum + (payload.data?.length ?? 0), OVERHEAD_BYTES);

async function open(
  { codec, log }: OpenEventsOptions,
  event: ProtoEvent,
  all: readonly Found[],
  home: SealedIn,
): Promise<OpenedEvent> {
  const eventId = eventIdOf(event);
  const payloads = await Promise.all(
    all.map(async (found, n): Promise<OpenedPayload> => {
      const { payload, sealable, path } = found;
      const context = sealedIn(event, path, home);
      const opened = await openOne(codec, log, { payload, sealable, context });
      return { ref: `${eventId}:${n}`, found, opened };
    }),
  );
  return { eventId, event, payloads };
}

/** Events that are being opened, in their order. */
class UnderWay {
  readonly #record: OpenEventsOptions['record'];
  #queue: { readonly opened: Promise<OpenedEvent>; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(record: OpenEventsOptions['record']) {
    this.#record = record;
  }

  add(opened: Promise<OpenedEvent>, bytes: number): void {
    this.#queue.push({ opened, bytes });
    this.#bytes += bytes;
  }

  isFull(): boolean {
    return this.#bytes >= UNDER_WAY_BYTES;
  }

  isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  async take(): Promise<OpenedEvent> {
    const first = this.#queue.shift();
    if (first === undefined) throw new RangeError('nothing is under way');
    const event = await first.opened;
    this.#bytes -= first.bytes;
    for (const { ref, opened } of event.payloads) {
      if (opened.ok) this.#record.done(opened.key);
      else this.#record.refused(opened.reason, { ref, ...(opened.key && { key: opened.key }) });
    }
    return event;
  }
}

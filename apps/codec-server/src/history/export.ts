import { randomUUID } from 'node:crypto';
import {
  escapeInvisible,
  type EndReason,
  type ExportForm,
  type ExportSummary,
  type ReasonCounts,
  UNREADABLE_ENCODING,
} from '@temporal-kms/codec-api';
import { type PayloadJson, payloadToJson } from '../json/payload-json.ts';
import { hasTooManyEntries } from '../json/payload-limits.ts';
import { count } from '../reason-counts.ts';
import { endOf } from './ending.ts';
import { eventIdOf, type ProtoEvent, storedEvent } from './event.ts';
import { type OpenedEvent, type OpenedPayload, openEvents, type OpenEventsOptions } from './opened-events.ts';
import { readableBytes } from './readable.ts';
import type { HistoryReader } from './reader.ts';
import { oneAhead, upward } from './run-events.ts';
import { bodyOf, type TextThreads } from './text-threads.ts';

export interface ExportOptions extends Omit<OpenEventsOptions, 'budget'> {
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly threads: Pick<TextThreads, 'readable'>;
  readonly form: ExportForm;
  /** Events that the history had when it was asked for; later ones are left out. */
  readonly length: number;
}

export interface ExportPiece {
  readonly text: string;
  /** On the last piece. */
  readonly end?: EndReason;
}

/** Characters that are put together before they are sent. */
const PIECE = 64 * 1024;

/**
 * A run's history as one JSON document, an event a line. It is complete if it parses: what is cut off stays unclosed,
 * and where the reader can still be told, its last line is `{"$truncated": {"reason", "after"}}`.
 */
export async function* exportPieces(options: ExportOptions): AsyncGenerator<ExportPiece, void> {
  const { form, lifetime, log } = options;
  const summary = new Summary();
  let text = head(options);
  let after = 0;
  let sent = { text, after };
  try {
    for await (const { eventId, json } of eventsAs(form, options, summary)) {
      await lifetime.step();
      text += after === 0 ? `\n${json}` : `,\n${json}`;
      after = eventId;
      if (text.length < PIECE) continue;
      yield { text };
      text = '';
      sent = { text, after };
    }
    const tail = form === 'readable' ? `\n],"summary":${JSON.stringify(summary.value())}}\n` : '\n]}\n';
    yield { text: text + tail, end: 'complete' };
  } catch (error) {
    const end = endOf(error, lifetime, log, 'export');
    if (end === undefined) return;
    // What waits to be sent was opened for somebody who was signed in.
    const rest = end.reason === 'signed_out' ? sent : { text, after };
    const last = JSON.stringify({ $truncated: { ...end, after: rest.after } });
    yield { text: `${rest.text}\n${last}\n`, end: end.reason };
  }
}

function head({ form, run }: ExportOptions): string {
  if (form !== 'readable') return '{"events":[';
  const { namespace, workflowId, runId } = run;
  return `${escapeInvisible(JSON.stringify({ namespace, workflowId, runId })).slice(0, -1)},"events":[`;
}

interface Written {
  readonly eventId: number;
  readonly json: string;
}

async function* eventsAs(
  form: ExportForm,
  options: ExportOptions,
  summary: Summary,
): AsyncGenerator<Written, void> {
  const { reader, run, length, lifetime } = options;
  const pages = upward(reader, run, 1, length, lifetime.signal);
  if (form === 'encoded') {
    for await (const page of oneAhead(pages))
      for (const event of page) yield { eventId: eventIdOf(event), json: encoded(event) };
    return;
  }
  const write = form === 'decoded' ? decoded : readable(randomUUID(), options);
  for await (const opened of openEvents(options, pages)) {
    summary.add(opened);
    yield { eventId: opened.eventId, json: await write(opened) };
  }
}

/** A payload that was cut when it was read is not passed off as what is stored. */
function encoded(event: ProtoEvent): string {
  let n = 0;
  return JSON.stringify(
    storedEvent(event, ({ payload }) => {
      const ref = `${eventIdOf(event)}:${n++}`;
      return hasTooManyEntries(payload) ? sentinel(ref, { reason: 'too_large' }) : payloadToJson(payload);
    }),
  );
}

function decoded({ event, payloads }: OpenedEvent): string {
  const waiting = payloads.values();
  return JSON.stringify(storedEvent(event, () => decodedPayload(waiting.next().value)));
}

function decodedPayload(one: OpenedPayload | undefined): PayloadJson {
  if (one === undefined) throw new RangeError('an event has more payloads than were opened');
  return one.opened.ok ? payloadToJson(one.opened.payload) : sentinel(one.ref, one.opened);
}

/** A payload that no converter takes: a replay over it fails there instead of going on with wrong data. */
function sentinel(
  ref: string,
  {
    reason,
    key,
    namespace,
  }: Pick<Extract<OpenedPayload['opened'], { ok: false }>, 'reason' | 'key' | 'namespace'>,
): PayloadJson {
  const metadata = Object.entries({
    encoding: UNREADABLE_ENCODING,
    reason,
    ref,
    ...(key?.name === undefined ? {} : { key: key.name }),
    ...(key?.version === undefined ? {} : { 'key-version': String(key.version) }),
    ...(namespace === undefined ? {} : { namespace }),
  });
  return {
    metadata: Object.fromEntries(
      metadata.map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  };
}

/** @param mark a text that nobody can foresee; stands where a payload's own JSON text is put in */
function readable(
  mark: string,
  { threads, lifetime }: Pick<ExportOptions, 'threads' | 'lifetime'>,
): (opened: OpenedEvent) => Promise<string> {
  const marked = new RegExp(`"${mark}:(\\d+)"`, 'g');
  return async ({ event, payloads }) => {
    const texts: string[] = [];
    for (const payload of payloads) {
      await lifetime.step();
      texts.push(await readablePayload(payload, threads, lifetime.signal));
    }
    let n = 0;
    // Names are escaped where they can't be seen; what was decrypted stands as it was written.
    const json = escapeInvisible(JSON.stringify(storedEvent(event, () => `${mark}:${n++}`)));
    return json.replace(marked, (_, index: string) => {
      const text = texts[Number(index)];
      if (text === undefined) throw new RangeError('an event has more payloads than were opened');
      return text;
    });
  };
}

async function readablePayload(
  { ref, opened }: OpenedPayload,
  threads: ExportOptions['threads'],
  signal: AbortSignal,
): Promise<string> {
  if (opened.ok)
    return (await threads.readable(opened.payload, signal)) ?? readableBytes(bodyOf(opened.payload));
  const { reason, key, namespace } = opened;
  return JSON.stringify({ $unreadable: { reason, ref, key, namespace } });
}

class Summary {
  #events = 0;
  #payloads = 0;
  readonly #unreadable: ReasonCounts = {};

  add({ payloads }: OpenedEvent): void {
    this.#events += 1;
    for (const { opened } of payloads) {
      this.#payloads += 1;
      if (!opened.ok) count(this.#unreadable, opened.reason);
    }
  }

  value(): ExportSummary {
    return { events: this.#events, payloads: this.#payloads, unreadable: this.#unreadable };
  }
}

import {
  countReason,
  type EndReason,
  type ExportForm,
  type ExportRequest,
  type ExportSummary,
  partsOfRef,
  type PayloadRef,
  type ReasonCounts,
} from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventWriter,
  exportEnd,
  exportStart,
  type JsonText,
  type Payload,
  payloadToJson,
  unreadablePayload,
  unreadableValue,
  type WritePayload,
} from '@temporal-kms/histories/payloads';
import { bodyOf, readableBytesInPieces } from '@temporal-kms/histories/readable';
import { hasLargeData, jsonWithData } from '../json/bytes.ts';
import { hasTooManyEntries } from '../json/payload.ts';
import {
  type DecryptedEvent,
  type DecryptedPayload,
  decryptEvents,
  type DecryptEventsOptions,
} from './decrypted-events.ts';
import type { HistoryCodec } from './decrypt-payload.ts';
import { ascending, prefetch } from './event-pages.ts';
import type { HistoryReader } from './reader.ts';
import { streamEnd } from './stream-limits.ts';
import type { TextThreads } from './text-threads.ts';

export interface ExportOptions extends Omit<DecryptEventsOptions, 'budget'> {
  readonly codec: HistoryCodec<'export'>;
  readonly reader: Pick<HistoryReader, 'read'>;
  readonly threads: Pick<TextThreads, 'readable'>;
  readonly form: ExportForm;
  /** Number of events in the history at the time of the request. The export omits later events. */
  readonly length: number;
  /** The first and the last event to export. Default: the whole history. */
  readonly events?: ExportRequest['events'];
}

export interface ExportChunk {
  readonly text: string;
  /** Why the export ended. Only the last chunk has this field. */
  readonly end?: EndReason;
}

/** Number of characters to collect before sending. */
const CHUNK_LENGTH = 64 * 1024;

/**
 * Yields a run's history, or some of its events, as the text of one JSON document, with one event per
 * line. The document parses only if it is complete, because an interrupted export stays unclosed. If the
 * client is still connected, the last line of an interrupted export is `{"$truncated": {"reason",
 * "after"}}`.
 */
export async function* exportChunks(options: ExportOptions): AsyncGenerator<ExportChunk, void> {
  const { form, lifetime, log } = options;
  const summary = new Summary();
  let text = exportStart(form, options.run);
  let after = 0;
  let sent = { text, after };
  try {
    for await (const { eventId, json } of exportedEvents(form, options, summary)) {
      await lifetime.checkpoint();
      text += after === 0 ? '\n' : ',\n';
      after = eventId;
      let isSent = false;
      // No error can occur between an event's pieces, so a truncated document ends with a complete event.
      for (const piece of typeof json === 'string' ? [json] : json) {
        text += piece;
        if (text.length < CHUNK_LENGTH) continue;
        yield { text };
        text = '';
        isSent = true;
      }
      if (!isSent) continue;
      if (text !== '') yield { text };
      text = '';
      sent = { text, after };
    }
    yield { text: text + exportEnd(form, summary.value()), end: 'complete' };
  } catch (error) {
    const end = streamEnd(error, lifetime, log, 'export');
    if (end === undefined) return;
    // If the token has expired, discards text that was decrypted but not sent.
    const rest = end.reason === 'signed_out' ? sent : { text, after };
    const lastLine = JSON.stringify({ $truncated: { ...end, after: rest.after } });
    yield { text: `${rest.text}\n${lastLine}\n`, end: end.reason };
  }
}

interface ExportedEvent {
  readonly eventId: number;
  readonly json: JsonText;
}

async function* exportedEvents(
  form: ExportForm,
  options: ExportOptions,
  summary: Summary,
): AsyncGenerator<ExportedEvent, void> {
  const { reader, run, length, lifetime } = options;
  const { first, last } = options.events ?? { first: 1, last: length };
  const pages = ascending(reader, run, first, last, lifetime);
  const write = eventWriter(form, () => lifetime.checkpoint());
  if (form === 'encoded') {
    for await (const page of prefetch(pages))
      for (const event of page) yield { eventId: eventIdOf(event), json: await write(event, encodedPayload) };
    return;
  }
  const writePayload = form === 'decoded' ? decodedPayload : readablePayload(options);
  for await (const decrypted of decryptEvents(options, pages)) {
    summary.add(decrypted);
    const { event, eventId, payloads } = decrypted;
    yield { eventId, json: await write(event, (_, ref) => writePayload(payloadOf(payloads, ref))) };
  }
}

/**
 * Marks payloads that this server truncated when it read them, so that they do not look complete in the
 * export.
 */
const encodedPayload: WritePayload = (payload, ref) =>
  hasTooManyEntries(payload)
    ? JSON.stringify(unreadablePayload(ref, { reason: 'too_large' }))
    : payloadJson(payload);

const decodedPayload = ({ ref, result }: DecryptedPayload): JsonText =>
  result.ok ? payloadJson(result.payload) : JSON.stringify(unreadablePayload(ref, result));

const payloadJson = (payload: Payload): JsonText => {
  if (!hasLargeData(payload)) return JSON.stringify(payloadToJson(payload));
  const { metadata, externalPayloads } = payloadToJson({ ...payload, data: null });
  return jsonWithData({ metadata, data: '', externalPayloads }, payload.data);
};

const readablePayload =
  ({ threads, lifetime: { signal } }: Pick<ExportOptions, 'threads' | 'lifetime'>) =>
  async ({ ref, result }: DecryptedPayload): Promise<JsonText> => {
    if (!result.ok) return JSON.stringify(unreadableValue(ref, result));
    const { payload } = result;
    return (await threads.readable(payload, signal)) ?? readableBytesInPieces(bodyOf(payload));
  };

function payloadOf(payloads: readonly DecryptedPayload[], ref: PayloadRef): DecryptedPayload {
  const payload = payloads[partsOfRef(ref).n];
  if (payload?.ref !== ref)
    throw new RangeError(`The payload ${ref} of an exported event was not decrypted.`);
  return payload;
}

class Summary {
  #events = 0;
  #payloads = 0;
  readonly #unreadable: ReasonCounts = {};

  add({ payloads }: DecryptedEvent): void {
    this.#events += 1;
    for (const { result } of payloads) {
      this.#payloads += 1;
      if (!result.ok) countReason(this.#unreadable, result.reason);
    }
  }

  value(): ExportSummary {
    return { events: this.#events, payloads: this.#payloads, unreadable: this.#unreadable };
  }
}

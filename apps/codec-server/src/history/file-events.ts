import { type DecodeRequest, type FileEventsRequest, type Permission } from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type PayloadContext,
  type ProtoEvent,
  unreadableReason,
} from '@temporal-kms/history-payloads';
import { HistoryFileError } from '@temporal-kms/history-files';
import { protoEvent } from '@temporal-kms/history-files/proto';
import proto from '@temporalio/proto';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { badRequest } from '../errors.ts';
import { countJsonValues, type ValueLimit } from '../json/bounded.ts';
import type { MemoryLease } from '../memory.ts';
import { boundHistory, decodedHistoryBytes } from '../temporal/bounded-responses.ts';
import type { HistoryCodec } from './decrypt-payload.ts';
import type { PayloadRequest } from './locate-payloads.ts';
import type { Inspect } from './payload-stub.ts';

/** JSON values in one event. The payloads of a readable form are values, too. */
const VALUES: ValueLimit = { base: 500_000 };
/** Nesting of one event. A chain of 20 causes has about 50 levels. */
const MAX_DEPTH = 200;
/** Bytes of memory for a value, and for a byte of JSON: its strings, and the bytes of base64. */
const VALUE_COST = 128;
const TEXT_COST = 4;

/**
 * Parses events of a history file that a client sent.
 * @param lease charged for the events before they are allocated
 * @throws HttpError 400 for an event that is not what Temporal writes; 413 or 503 where they need too much memory
 */
export function parseFileEvents(
  { encoding, events }: Pick<FileEventsRequest, 'encoding' | 'events'>,
  lease: Pick<MemoryLease, 'take'>,
): ProtoEvent[] {
  const parsed = encoding === 'protobuf' ? parseProtobuf(events, lease) : parseJson(events, encoding, lease);
  if (parsed.some((event) => eventIdOf(event) < 1)) throw badRequest('An event of the file has no id.');
  return parsed;
}

function parseJson(
  events: readonly string[],
  encoding: Exclude<FileEventsRequest['encoding'], 'protobuf'>,
  lease: Pick<MemoryLease, 'take'>,
): ProtoEvent[] {
  return events.map((text) => {
    lease.take(text.length * TEXT_COST + countJsonValues(text, VALUES, MAX_DEPTH) * VALUE_COST);
    try {
      return protoEvent(text, encoding);
    } catch (error) {
      if (error instanceof HistoryFileError) throw badRequest(error.message, error);
      throw error;
    }
  });
}

/** Limits the events like a page of a history that Temporal returned. */
function parseProtobuf(events: readonly string[], lease: Pick<MemoryLease, 'take'>): ProtoEvent[] {
  const history = historyOf(events.map((text) => Buffer.from(text, 'base64')));
  lease.take(history.length + decodedHistoryBytes(history));
  try {
    return proto.temporal.api.history.v1.History.decode(boundHistory(history)).events;
  } catch (error) {
    throw badRequest('An event of the file is not what Temporal writes.', error);
  }
}

/** The tag of a message in field 1, in which a `History` has its events. */
const EVENTS = 0x0a;

function historyOf(events: readonly Uint8Array[]): Buffer {
  return Buffer.concat(events.flatMap((event) => [Buffer.from([EVENTS, ...varint(event.length)]), event]));
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/**
 * Finds the payloads that the refs name in the events of a file.
 * @throws HttpError 400 for a ref that the events do not have
 */
export function filePayloads(
  events: readonly ProtoEvent[],
  refs: DecodeRequest['refs'],
  home: PayloadContext,
): PayloadRequest[] {
  const byId = new Map(events.map((event) => [eventIdOf(event), eventPayloads(event, home)]));
  return [...new Set(refs)].map((ref) => {
    const [eventId = 0, n = 0] = ref.split(':').map(Number);
    const held = byId.get(eventId)?.[n];
    if (held === undefined) throw badRequest(`The events of the request have no payload ${ref}.`);
    return { ref, bytes: held.payload.data?.length ?? 0, held, load: async () => held };
  });
}

/** Returns `inspect` with the reason codes that a decoded or readable export contains. */
export const inspectExported =
  (inspect: Inspect): Inspect =>
  (payload, context) => {
    const info = inspect(payload, context);
    return { ...info, ...unreadableReason(payload) };
  };

/** Returns a codec that answers with the reason code of an export for a payload that the export could not decrypt. */
export function codecOfExports<Use extends Permission>(codec: HistoryCodec<Use>): HistoryCodec<Use> {
  return {
    ...(codec.use && { use: codec.use }),
    ...(codec.allowance && { allowance: codec.allowance }),
    inspect: (...args) => codec.inspect(...args),
    plan: (...args) => codec.plan(...args),
    decrypt: async (payload, ...rest) => {
      const exported = unreadableReason(payload);
      if (exported === undefined) return await codec.decrypt(payload, ...rest);
      const { reason, ...key } = exported;
      throw new KmsCodecError(reason, 'The payload could not be decrypted when the file was exported.', key);
    },
  };
}

import {
  type DecodeRequest,
  type FileEventsRequest,
  partsOfRef,
  type Permission,
} from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type PayloadContext,
  type ProtoEvent,
  unreadableReason,
} from '@temporal-kms/histories/payloads';
import { HistoryFileError } from '@temporal-kms/histories/files';
import { type Admit, protoEventInSteps } from '@temporal-kms/histories/proto';
import proto from '@temporalio/proto';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { badRequest, HttpError } from '../errors.ts';
import type { MemoryLease } from '../memory.ts';
import { planOf } from '../temporal/decode-plan.ts';
import { cut, MAX_VALUES, measure } from '../temporal/wire-scan.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import { inTurns, type Steps } from '../turns/slices.ts';
import type { HistoryCodec } from './decrypt-payload.ts';
import type { PayloadRequest } from './locate-payloads.ts';
import type { Inspect } from './payload-stub.ts';

/** Memory in bytes for a value. */
const VALUE_COST = 512;
/** Memory in bytes for a payload, including everything that a stream derives from the payload. */
const PAYLOAD_COST = 1_536;
/**
 * Memory in bytes per character of the text, including the strings parsed from it and the bytes decoded from
 * base64.
 */
const TEXT_COST = 4;
/** How many values each reservation of memory covers. */
const VALUES_AT_ONCE = 64;

/**
 * Parses events of a history file that a client sent. All events together may have as many values as a page
 * of a history.
 * @param lease charged for the events before they are allocated
 * @throws HttpError 400 for an event that is not in Temporal's format; 413 or 503 if the events need too much
 *   memory
 */
export async function parseFileEvents(
  { encoding, events }: Pick<FileEventsRequest, 'encoding' | 'events'>,
  lease: Pick<MemoryLease, 'take' | 'end'>,
): Promise<ProtoEvent[]> {
  const parsed: ProtoEvent[] = [];
  const checkpoint = createCheckpoint();
  const parse = encoding === 'protobuf' ? protobufParser(lease) : jsonParser(encoding, lease);
  try {
    for (const text of events) {
      await checkpoint(text.length);
      const event = await inTurns(parse(text));
      if (eventIdOf(event) < 1) throw badRequest('An event in the file has no id.');
      parsed.push(event);
    }
    return parsed;
  } catch (error) {
    lease.end();
    throw error;
  }
}

type Parse = (text: string) => Steps<ProtoEvent>;

function jsonParser(
  encoding: Exclude<FileEventsRequest['encoding'], 'protobuf'>,
  lease: Pick<MemoryLease, 'take'>,
): Parse {
  let values = 0;
  const admit: Admit = (kind) => {
    values += 1;
    if (values > MAX_VALUES) throw tooManyValues();
    if (kind === 'payload') lease.take(PAYLOAD_COST);
    else if (values % VALUES_AT_ONCE === 1) lease.take(VALUES_AT_ONCE * VALUE_COST);
  };
  return function* (text) {
    lease.take(text.length * TEXT_COST);
    try {
      return yield* protoEventInSteps(text, encoding, admit);
    } catch (error) {
      if (error instanceof HistoryFileError) throw badRequest(error.message, error);
      throw error;
    }
  };
}

/** Applies the same limits as to a page that Temporal returned. */
function protobufParser(lease: Pick<MemoryLease, 'take'>): Parse {
  let values = 0;
  return function* (text) {
    lease.take(text.length);
    const bytes = Buffer.from(text, 'base64');
    const measured = measure(bytes, EVENT, 1);
    values += measured.values;
    if (measured.isMalformed) throw notAnEvent();
    if (values > MAX_VALUES) throw tooManyValues();
    lease.take(measured.bytes);
    yield text.length;
    const allowed = { values: MAX_VALUES, bytes: Number.POSITIVE_INFINITY };
    try {
      return HistoryEvent.decode(measured.hasSurplus ? cut(bytes, EVENT, allowed, 1) : bytes);
    } catch (error) {
      throw notAnEvent(error);
    }
  };
}

const { HistoryEvent } = proto.temporal.api.history.v1;
const EVENT = planOf('temporal.api.history.v1.HistoryEvent');

const notAnEvent = (cause?: unknown): HttpError =>
  badRequest('An event in the file is not in the form that Temporal writes.', cause);

const tooManyValues = (): HttpError =>
  new HttpError(
    413,
    'too_large',
    `The events contain more than ${MAX_VALUES} payloads, map entries and other values; send fewer events per request.`,
  );

/**
 * Returns the payloads of a file's events that have the given refs.
 * @throws HttpError 400 for a ref that is not in the events
 */
export function filePayloads(
  events: readonly ProtoEvent[],
  refs: DecodeRequest['refs'],
  home: PayloadContext,
): PayloadRequest[] {
  const byId = new Map(events.map((event) => [eventIdOf(event), eventPayloads(event, home)]));
  return [...new Set(refs)].map((ref) => {
    const { eventId, n } = partsOfRef(ref);
    const held = byId.get(eventId)?.[n];
    if (held === undefined)
      throw badRequest(`The events in the request have no payload with the ref ${ref}.`);
    return { ref, bytes: held.payload.data?.length ?? 0, held, load: async () => held };
  });
}

/** Wraps `inspect`, to return the export's reason code for a payload that the export marks as unreadable. */
export const inspectExported =
  (inspect: Inspect): Inspect =>
  (payload, context) => {
    const info = inspect(payload, context);
    return { ...info, ...unreadableReason(payload) };
  };

/**
 * Wraps a codec, so that payloads that could not be decrypted at the time of the export fail with the
 * export's reason code.
 */
export function codecOfExports<Use extends Permission>(codec: HistoryCodec<Use>): HistoryCodec<Use> {
  return {
    ...codec,
    decrypt: async (payload, ...rest) => {
      const exported = unreadableReason(payload);
      if (exported === undefined) return await codec.decrypt(payload, ...rest);
      const { reason, ...key } = exported;
      throw new KmsCodecError(reason, 'The payload could not be decrypted when the file was exported.', key);
    },
  };
}

import { z } from 'zod/mini';
import { historyEvent } from './history.ts';
import { workflowId } from './parameters.ts';
import { justification, MAX_REFS, payloadRef } from './payload.ts';
import { searchedText } from './search.ts';

/** Most events in one request. */
export const MAX_FILE_EVENTS = 500;

/**
 * Maximum bytes of a request's body. Temporal limits each list of payloads in an event to 2 MiB, and base64 and JSON
 * enlarge them.
 */
export const MAX_FILE_BODY = 8 * 1024 * 1024;

/**
 * `POST /api/namespaces/{namespace}/history-files:inspect`: events of a history file. The client splits the file with
 * `@temporal-kms/histories/files`, so that no request contains more than some of its events.
 */
export const fileEventsRequest = z.strictObject({
  /** The workflow of the history, as the file names it: its payloads may be bound to it. */
  workflowId: z.optional(workflowId),
  /** How the events are written: see `EventEncoding` of `@temporal-kms/histories/files`. */
  encoding: z.enum(['json', 'readable', 'protobuf']),
  /** JSON text, or protobuf in base64. */
  events: z.array(z.string()).check(z.minLength(1), z.maxLength(MAX_FILE_EVENTS)),
});
export type FileEventsRequest = z.infer<typeof fileEventsRequest>;

/** The events as the history of a run contains them, with stubs in place of their payloads. */
export const fileEvents = z.object({ events: z.array(historyEvent) });
export type FileEvents = z.infer<typeof fileEvents>;

/**
 * `POST /api/namespaces/{namespace}/history-files:decode`: decrypts payloads of the events in the request. The response
 * is that of `payloads:decode`.
 */
export const fileDecodeRequest = z.extend(fileEventsRequest, {
  refs: z.array(payloadRef).check(z.minLength(1), z.maxLength(MAX_REFS)),
  justification: z.optional(justification),
});
export type FileDecodeRequest = z.infer<typeof fileDecodeRequest>;

/**
 * `POST /api/namespaces/{namespace}/history-files:search`: searches for text in the payloads of the events in the
 * request, last event first. The response is that of `history:search`.
 */
export const fileSearchRequest = z.extend(fileEventsRequest, {
  ...searchedText,
  justification: z.optional(justification),
});
export type FileSearchRequest = z.infer<typeof fileSearchRequest>;

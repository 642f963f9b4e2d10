import { z } from 'zod/mini';
import { historyEvent } from './history.ts';
import { workflowId } from './parameters.ts';
import { justification, MAX_REFS, payloadRef } from './payload.ts';
import { searchedText } from './search.ts';

/** Maximum number of events in one request. */
export const MAX_FILE_EVENTS = 500;

/**
 * Maximum size of a request's body, in bytes. Temporal limits each list of payloads in an event to 2 MiB, and
 * base64 and JSON make the list longer.
 */
export const MAX_FILE_BODY = 8 * 1024 * 1024;

/**
 * `POST /api/namespaces/{namespace}/history-files:inspect`: describes some of a history file's events. The
 * client splits the file with `@temporal-kms/histories/files` and sends its events in several requests.
 */
export const fileEventsRequest = z.strictObject({
  /** The workflow id that the file contains. Payloads may be bound to this id. */
  workflowId: z.optional(workflowId),
  /** The encoding of `events`: see `EventEncoding` in `@temporal-kms/histories/files`. */
  encoding: z.enum(['json', 'readable', 'protobuf']),
  /** The events as JSON text, or as protobuf in base64. */
  events: z.array(z.string()).check(z.minLength(1), z.maxLength(MAX_FILE_EVENTS)),
});
export type FileEventsRequest = z.infer<typeof fileEventsRequest>;

/** The events in the form of `streamHistory`, with placeholders in place of their payloads. */
export const fileEvents = z.object({ events: z.array(historyEvent) });
export type FileEvents = z.infer<typeof fileEvents>;

/**
 * `POST /api/namespaces/{namespace}/history-files:decode`: decrypts payloads of the events in the request.
 * The response has the form of `payloads:decode`.
 */
export const fileDecodeRequest = z.extend(fileEventsRequest, {
  refs: z.array(payloadRef).check(z.minLength(1), z.maxLength(MAX_REFS)),
  justification: z.optional(justification),
});
export type FileDecodeRequest = z.infer<typeof fileDecodeRequest>;

/**
 * `POST /api/namespaces/{namespace}/history-files:search`: searches for text in the payloads of the events in
 * the request, last event first. The response has the form of `history:search`.
 */
export const fileSearchRequest = z.extend(fileEventsRequest, {
  ...searchedText,
  justification: z.optional(justification),
});
export type FileSearchRequest = z.infer<typeof fileSearchRequest>;

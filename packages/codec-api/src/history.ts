import { z } from 'zod/mini';
import { streamEnd } from './errors.ts';
import { payloadStub } from './payload.ts';
import { attributes, timestamp } from './workflow.ts';

export const historyEvent = z.object({
  /**
   * The event's number in the history, from 1 without gaps. The number stays below 2^53, because Temporal accepts
   * at most 51,200 events in a history.
   */
  eventId: z.int().check(z.positive()),
  /**
   * A later event may have an earlier time. For example, Temporal writes `ActivityTaskStarted` only when the
   * activity closes, but with the time at which the activity started.
   */
  eventTime: timestamp,
  /** The number of Temporal's `EventType`. An unknown type is not an error. */
  eventType: z.int(),
  /**
   * The name of the event type, such as `ActivityTaskScheduled`; `Unknown(61)` if this server does not know
   * the type.
   */
  eventName: z.string(),
  /**
   * The event's attributes, with placeholders in place of payloads. If the event has more values or text than the
   * server decodes, `attributes` is `{"$omitted": "too_large"}`, and a single `too_large` payload in
   * `userMetadata.summary` replaces all of the event's payloads.
   */
  attributes,
  /** `summary` and `details` of the event, as placeholders. */
  userMetadata: z.optional(attributes),
  links: z.optional(z.array(attributes)),
  /** The event's group labels, as placeholders. */
  eventGroupMarkers: z.optional(z.array(attributes)),
  /** Who caused the event, if Temporal recorded it. */
  principal: z.optional(attributes),
  payloads: z.array(payloadStub),
  /** False for a transient or speculative workflow task event, whose id a later event may reuse. */
  durable: z.boolean(),
});
export type HistoryEvent = z.infer<typeof historyEvent>;

/**
 * The lines of `GET …/runs/{runId}/history?after=<eventId>&live=true` (`application/x-ndjson`). Events are in
 * order, and the last line is `end`. A stream without `end` was cut off: request the rest with `after`. With
 * `limit=<n>` the stream ends after `n` durable events, with the reason `limit`.
 */
export const historyFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('events'), events: z.array(historyEvent) }),
  /** Shows that the connection is alive while there are no new events. The server sends heartbeats only with `live`. */
  z.object({ type: z.literal('heartbeat') }),
  /**
   * With `live`, `complete` means that the run is closed and its last event was sent. Without `live`, `complete`
   * means that all events so far were sent.
   */
  streamEnd,
]);
export type HistoryFrame = z.infer<typeof historyFrame>;

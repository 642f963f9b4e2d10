import { z } from 'zod/mini';
import { streamEnd } from './errors.ts';
import { payloadStub } from './payload.ts';
import { attributes, timestamp } from './workflow.ts';

export const historyEvent = z.object({
  /** Gapless from 1. Below 2^53 in any history that Temporal accepts (at most 51,200 events). */
  eventId: z.int().check(z.positive()),
  /** Not monotonic in eventId: an ActivityTaskStarted is written when the activity closes. */
  eventTime: timestamp,
  /** The number of Temporal's `EventType`. An unknown type is not an error. */
  eventType: z.int(),
  /** Such as `ActivityTaskScheduled`; `Unknown(61)` for a type that this server does not know. */
  eventName: z.string(),
  /**
   * The event's attributes message, payloads replaced by placeholders. `{"$omitted": "too_large"}` if it has more values than
   * the server decodes; then a payload `too_large` in `userMetadata.summary` stands for its payloads.
   */
  attributes,
  /** `summary` and `details` of the event, as placeholders. */
  userMetadata: z.optional(attributes),
  links: z.optional(z.array(attributes)),
  /** The event's group labels, as placeholders. */
  eventGroupMarkers: z.optional(z.array(attributes)),
  /** Who caused the event, where the server records it. */
  principal: z.optional(attributes),
  payloads: z.array(payloadStub),
  /** False for a transient or speculative workflow task event: a later event may have the same id. */
  durable: z.boolean(),
});
export type HistoryEvent = z.infer<typeof historyEvent>;

/**
 * The lines of `GET …/runs/{runId}/history?after=<eventId>&live=true` (`application/x-ndjson`). Events come in order;
 * the last line is `end`. A stream without it was cut off: request the rest with `after`. With `limit=<n>` the stream ends
 * after `n` durable events, with the reason `limit`.
 */
export const historyFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('events'), events: z.array(historyEvent) }),
  /** With `live` only: no new event, and the connection is alive. */
  z.object({ type: z.literal('heartbeat') }),
  /** `complete`: the run is closed and its last event was sent; without `live`, all events so far were sent. */
  streamEnd,
]);
export type HistoryFrame = z.infer<typeof historyFrame>;

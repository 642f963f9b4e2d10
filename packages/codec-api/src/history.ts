import { z } from 'zod';
import { streamEnd } from './ends.ts';
import { payloadStub } from './payload.ts';
import { attributes, timestamp } from './workflow.ts';

export const historyEvent = z.object({
  /** Gapless from 1. Below 2^53 in any history that Temporal accepts (at most 51,200 events). */
  eventId: z.number().int().positive(),
  /** Not monotonic in eventId: an ActivityTaskStarted is written when the activity closes. */
  eventTime: timestamp,
  /** Numeric `EventType`; an unknown one is shown as it is, never an error. */
  eventType: z.number().int(),
  /** `ActivityTaskScheduled` and so on; `Unknown(61)` for a type newer than this server. */
  eventName: z.string(),
  /** The event's own attributes message, payloads replaced by placeholders. */
  attributes,
  /** `summary` and `details` of the event, as placeholders. */
  userMetadata: attributes.optional(),
  links: z.array(attributes).optional(),
  /** The event's group labels, as placeholders. */
  eventGroupMarkers: z.array(attributes).optional(),
  /** Who caused the event, where the server records it. */
  principal: attributes.optional(),
  payloads: z.array(payloadStub),
  /** False for a transient or speculative workflow task event: another may later stand under the same id. */
  durable: z.boolean(),
});
export type HistoryEvent = z.infer<typeof historyEvent>;

/**
 * The lines of `GET …/runs/{runId}/history?after=<eventId>&live=true` (`application/x-ndjson`). Events come in order;
 * the last line is `end`. A stream without it was cut off: ask again with `after`.
 */
export const historyFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('events'), events: z.array(historyEvent) }),
  /** Live only: nothing new, the connection stands. */
  z.object({ type: z.literal('heartbeat') }),
  /** `complete`: the run is closed and its last event was sent, or, without `live`, all that there is was sent. */
  streamEnd,
]);
export type HistoryFrame = z.infer<typeof historyFrame>;

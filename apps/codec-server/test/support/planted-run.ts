import type { TemporalService } from '../../src/temporal/service.ts';
import { noTemporal, type Payload } from './stack.ts';

/** Returns the event of a signal with these payloads. */
export const signaled = (eventId: number, ...payloads: Payload[]) => ({
  eventId,
  eventType: 26,
  taskId: eventId,
  workflowExecutionSignaledEventAttributes: { input: { payloads } },
});

/**
 * Returns a response to a request for a history.
 * @param next the token of the next page
 */
export const pageOf = (events: readonly object[], next: Uint8Array = new Uint8Array()): any => ({
  history: { events },
  rawHistory: [],
  nextPageToken: next,
});

/** Returns a Temporal service that has one run, with these events in one page. */
export function temporalWith(
  events: readonly object[],
  more: Partial<TemporalService> = {},
): TemporalService {
  const description: any = { workflowExecutionInfo: { historyLength: events.length } };
  const history = async () => pageOf(events);
  return { ...noTemporal, describe: async () => description, history, ...more };
}

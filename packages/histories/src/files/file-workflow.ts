import { HistoryFileError } from '../history-file-error.ts';

/**
 * How the events of a workflow are written.
 * - `json`: a JSON object per event, with payloads as Temporal's tools write them: `metadata` and `data` in base64, the
 *   same with text and values (the Web UI's readable form), or the values alone (shorthand of Temporal's Go libraries).
 * - `readable`: the readable export of the codec server. Each payload is its value.
 * - `protobuf`: an encoded `temporal.api.history.v1.HistoryEvent` per event.
 */
export type EventEncoding = 'json' | 'readable' | 'protobuf';

/** The history of one workflow run in a file. */
export interface FileWorkflow {
  readonly encoding: EventEncoding;
  /** Absent where the file does not contain it: servers before 1.24 did not write it into the first event. */
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
  readonly type: string | undefined;
  /** When the run started, in milliseconds since 1970. */
  readonly startedAt: number | undefined;
  /** Number of events. Their ids are 1 to `length`. */
  readonly length: number;
  /** Returns an event as text: its JSON, or its protobuf bytes in base64. `protoEvent` of `./proto` reads it. */
  readonly event: (eventId: number) => string;
}

/** @throws HistoryFileError unless the event has the id that follows from its place */
export function checkId(eventId: number, expected: number): void {
  if (eventId === expected) return;
  if (!Number.isSafeInteger(eventId) || eventId < 1)
    throw new HistoryFileError('malformed', `Event ${expected} in the file has no valid event id.`);
  throw new HistoryFileError(
    'gap',
    `The file contains event ${eventId} where event ${expected} was expected: open a complete history.`,
  );
}

/** Returns the event of a list that begins with event 1. */
export function eventIn<T>(events: readonly T[], eventId: number): T {
  const event = events[eventId - 1];
  if (event === undefined) throw new RangeError(`The file has no event ${eventId}.`);
  return event;
}

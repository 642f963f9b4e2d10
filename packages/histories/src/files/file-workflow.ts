import { HistoryFileError } from '../history-file-error.ts';

/**
 * The encoding of a workflow's events.
 * - `json`: a JSON object per event, with payloads in one of the forms that Temporal's tools write: `metadata`
 *   and `data` in base64; `metadata` and `data` as text and values (the Web UI's readable form); or only the
 *   value (the shorthand of Temporal's Go libraries).
 * - `readable`: the codec server's readable export, in which each payload is replaced by its value.
 * - `protobuf`: an encoded `temporal.api.history.v1.HistoryEvent` per event.
 */
export type EventEncoding = 'json' | 'readable' | 'protobuf';

/** The history of one workflow run in a file. */
export interface FileWorkflow {
  readonly encoding: EventEncoding;
  /**
   * The workflow id; absent if the file does not contain it. Servers before 1.24 did not write the workflow
   * id into the first event.
   */
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
  readonly type: string | undefined;
  /** When the run started, in milliseconds since 1970. */
  readonly startedAt: number | undefined;
  /** Number of events. The event ids are 1 to `length`. */
  readonly length: number;
  /** Returns an event as text: JSON, or protobuf in base64. `protoEvent` in `./proto` parses this text. */
  readonly event: (eventId: number) => string;
}

/** @throws HistoryFileError unless the event's id matches the event's position in the file */
export function checkId(eventId: number, expected: number): void {
  if (eventId === expected) return;
  if (!Number.isSafeInteger(eventId) || eventId < 1)
    throw new HistoryFileError('malformed', `Event ${expected} in the file has no valid event id.`);
  throw new HistoryFileError(
    'gap',
    `The file contains event ${eventId} where event ${expected} was expected: open a complete history.`,
  );
}

/** Returns an event by its id. @param events all events, beginning with event 1 */
export function eventIn<T>(events: readonly T[], eventId: number): T {
  const event = events[eventId - 1];
  if (event === undefined) throw new RangeError(`The file has no event ${eventId}.`);
  return event;
}

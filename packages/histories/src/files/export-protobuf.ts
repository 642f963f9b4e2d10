import { checkId, eventIn, type FileWorkflow } from './file-workflow.ts';
import { HistoryFileError } from '../history-file-error.ts';
import { MalformedProtobuf, protobufFields } from './protobuf-fields.ts';

/*
 * Temporal Cloud's Workflow History Export writes `temporal.api.export.v1.WorkflowExecutions`:
 *
 *   message WorkflowExecutions { repeated WorkflowExecution items = 1; }
 *   message WorkflowExecution { temporal.api.history.v1.History history = 1; }
 *   message History { repeated HistoryEvent events = 1; }
 *
 * https://github.com/temporalio/api/blob/master/temporal/api/export/v1/message.proto
 *
 * This module splits the export into events. From each workflow's first event, it reads only the fields for
 * the list of workflows. A web page therefore does not need the schema of Temporal's messages, which takes
 * hundreds of KiB.
 */

/** Field numbers of the messages above, and of the messages in the first event. */
const FIRST = 1;
const EVENT = { eventId: 1, eventTime: 2, started: 6 } as const;
const STARTED = { workflowType: 1, originalExecutionRunId: 14, workflowId: 28 } as const;

/**
 * Returns whether the bytes are a `WorkflowExecutions` message, judged by the lengths of the messages around
 * the first event.
 */
export function isProtobuf(bytes: Uint8Array): boolean {
  try {
    const item = firstMessage(bytes);
    const history = item && firstMessage(item);
    const event = history && firstMessage(history);
    return event !== undefined && numbers(event, EVENT.eventId).next().value !== undefined;
  } catch {
    return false;
  }
}

const firstMessage = (bytes: Uint8Array): Uint8Array | undefined => {
  for (const { number, value } of protobufFields(bytes))
    return number === FIRST && typeof value !== 'number' ? value : undefined;
  return undefined;
};

/** @throws HistoryFileError */
export function readProtobuf(bytes: Uint8Array): FileWorkflow[] {
  try {
    const histories = messages(bytes, FIRST).flatMap((item) => messages(item, FIRST));
    return histories
      .map((history) => messages(history, FIRST))
      .filter((events) => events.length > 0)
      .map(workflowOf);
  } catch (error) {
    if (!(error instanceof MalformedProtobuf)) throw error;
    throw new HistoryFileError('cut_off', 'The file is incomplete: it ends within a message.', {
      cause: error,
    });
  }
}

function workflowOf(events: readonly Uint8Array[]): FileWorkflow {
  for (const [index, event] of events.entries()) checkId(numberOf(event, EVENT.eventId) ?? 0, index + 1);
  const [first = new Uint8Array()] = events;
  const started = messageOf(first, EVENT.started);
  const time = messageOf(first, EVENT.eventTime);
  const type = started && messageOf(started, STARTED.workflowType);
  return {
    encoding: 'protobuf',
    workflowId: started && textOf(started, STARTED.workflowId),
    runId: started && textOf(started, STARTED.originalExecutionRunId),
    type: type && textOf(type, FIRST),
    startedAt: time && (numberOf(time, 1) ?? 0) * 1_000 + Math.floor((numberOf(time, 2) ?? 0) / 1_000_000),
    length: events.length,
    event: (eventId) => toBase64(eventIn(events, eventId)),
  };
}

function messages(bytes: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const { number, value } of protobufFields(bytes))
    if (number === field && typeof value !== 'number') found.push(value);
  return found;
}

const messageOf = (bytes: Uint8Array, field: number): Uint8Array | undefined => messages(bytes, field).at(-1);

function* numbers(bytes: Uint8Array, field: number): Generator<number, void> {
  for (const { number, value } of protobufFields(bytes))
    if (number === field && typeof value === 'number') yield value;
}

/** Returns the last value of a field. If a message contains a field several times, the last value applies. */
const numberOf = (bytes: Uint8Array, field: number): number | undefined => [...numbers(bytes, field)].at(-1);

const utf8 = new TextDecoder();

function textOf(bytes: Uint8Array, field: number): string | undefined {
  const text = messageOf(bytes, field);
  return text === undefined || text.length === 0 ? undefined : utf8.decode(text);
}

/** Number of bytes to convert in one call: each byte is an argument, and JavaScript limits their number. */
const PIECE = 0x6000;

function toBase64(bytes: Uint8Array): string {
  let text = '';
  // `PIECE` is a multiple of three, so that the pieces' base64 can be concatenated.
  for (let at = 0; at < bytes.length; at += PIECE)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  return text;
}

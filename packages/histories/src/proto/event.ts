import { JsonScanner } from '../json/json-scanner.ts';
import proto, { type temporal } from '@temporalio/proto';
import type { EventEncoding } from '../files/file-workflow.ts';
import { HistoryFileError } from '../history-file-error.ts';
import { type Admit, readMessage } from './message.ts';
import { payloadFromReadable, payloadFromText } from './payload.ts';

export type { Admit } from './message.ts';
export { payloadFromJson } from './payload.ts';

type ProtoEvent = temporal.api.history.v1.IHistoryEvent;

/** Maximum nesting of objects and arrays in an event. A chain of 20 failure causes has about 50 levels. */
const MAX_DEPTH = 200;

/**
 * Returns an event from a history file as Temporal's message. All encodings of an event yield the same
 * message, except that the message's payloads are decrypted if the file is a decoded or readable export.
 *
 * In the message, 64-bit integers may be strings. Fields that this version of the protos does not know are
 * dropped.
 *
 * @param text as `FileWorkflow.event` returns it
 * @throws HistoryFileError `malformed`
 */
export function protoEvent(text: string, encoding: EventEncoding): ProtoEvent {
  const steps = protoEventInSteps(text, encoding);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * Like `protoEvent`, but pauses between its two steps, each of which takes about 1 ms per MB: yields the
 * number of characters that the first step has read.
 *
 * @param admit called for each value of a message in JSON before the value is allocated; may throw
 */
export function* protoEventInSteps(
  text: string,
  encoding: EventEncoding,
  admit: Admit = () => undefined,
): Generator<number, ProtoEvent, void> {
  if (encoding === 'protobuf') return fromBytes(Buffer.from(text, 'base64'));
  if (!new JsonScanner(text, MAX_DEPTH).scan(() => undefined)) throw malformed();
  yield text.length;
  const readPayload = encoding === 'readable' ? payloadFromReadable : payloadFromText;
  try {
    return readMessage('temporal.api.history.v1.HistoryEvent', text, readPayload, admit);
  } catch (error) {
    throw error instanceof TypeError ? malformed(error) : error;
  }
}

function fromBytes(bytes: Uint8Array): ProtoEvent {
  try {
    return proto.temporal.api.history.v1.HistoryEvent.decode(bytes);
  } catch (error) {
    throw malformed(error);
  }
}

const malformed = (cause?: unknown): HistoryFileError =>
  new HistoryFileError('malformed', 'An event in the file is not in the form that Temporal writes.', {
    cause,
  });

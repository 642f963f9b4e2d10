import { JsonScanner } from '../json/json-scanner.ts';
import proto, { type temporal } from '@temporalio/proto';
import type { EventEncoding } from '../files/file-workflow.ts';
import { HistoryFileError } from '../history-file-error.ts';
import { type Admit, readMessage } from './message.ts';
import { payloadFromReadable, payloadFromText } from './payload.ts';

export type { Admit } from './message.ts';
export { payloadFromJson } from './payload.ts';

type ProtoEvent = temporal.api.history.v1.IHistoryEvent;

/** Nested objects and arrays in an event. A chain of 20 failure causes has about 50. */
const MAX_DEPTH = 200;

/**
 * Returns an event of a file as Temporal's message, whatever form the file has. All forms of the same event give the same
 * message; in the decoded and readable forms, its payloads are decrypted.
 *
 * 64-bit integers may be strings. Fields that this version of the protos does not know are left out.
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
 * Like `protoEvent`, in two steps of which each takes about 1 ms for 1 MB. Yields the characters that a step has read.
 *
 * @param admit called for each value of the message in JSON before it is allocated; what it throws is passed on
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

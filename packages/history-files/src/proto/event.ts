import proto, { type temporal } from '@temporalio/proto';
import { LosslessNumber, parse } from 'lossless-json';
import type { EventEncoding } from '../file-workflow.ts';
import { HistoryFileError } from '../problem.ts';
import { readMessage } from './message.ts';
import { type Payload, payloadFromJson, payloadFromReadable } from './payload.ts';

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
  if (encoding === 'protobuf') return fromBytes(Buffer.from(text, 'base64'));
  const readPayload: (value: unknown) => Payload =
    encoding === 'readable' ? payloadFromReadable : payloadFromJson;
  try {
    return readMessage('temporal.api.history.v1.HistoryEvent', parseExact(text), readPayload);
  } catch (error) {
    throw malformed(error);
  }
}

function fromBytes(bytes: Uint8Array): ProtoEvent {
  try {
    return proto.temporal.api.history.v1.HistoryEvent.decode(bytes);
  } catch (error) {
    throw malformed(error);
  }
}

const malformed = (cause: unknown): HistoryFileError =>
  cause instanceof HistoryFileError
    ? cause
    : new HistoryFileError('malformed', 'An event of the file is not what Temporal writes.', { cause });

/** A number outside of strings that has more digits than a double keeps, or an exponent. */
const INEXACT = /[[:,]\s*-?(?:\d[\d.]{15,}|\d[\d.]*[eE])/;

/** Parses JSON without loss of numbers. The lossless parser takes ten times as long, so other texts do not pay for it. */
function parseExact(text: string): unknown {
  checkDepth(text);
  if (!INEXACT.test(text)) return JSON.parse(text);
  return parse(text, undefined, (number) => {
    const value = Number(number);
    return String(value) === number ? value : new LosslessNumber(number);
  });
}

/** Parsers and readers call themselves for each level. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') at = endOfString(text, at + 1);
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth > MAX_DEPTH)
      throw new HistoryFileError('malformed', `An event nests deeper than ${MAX_DEPTH} levels.`);
  }
}

function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (quote - escapes > from && text.charAt(quote - escapes - 1) === '\\') escapes += 1;
    if (escapes % 2 === 0) return quote;
  }
  return text.length;
}

import { randomUUID } from 'node:crypto';
import {
  escapeInvisible,
  type ExportForm,
  type ExportSummary,
  type PayloadRef,
  payloadRefOf,
} from '@temporal-kms/codec-api';
import { eventIdOf, eventJson, type ProtoEvent } from './event.ts';
import type { Payload } from './payload.ts';

/** Returns the start of an export document. The events follow, separated by commas. */
export function exportStart(
  form: ExportForm,
  run: { readonly namespace: string; readonly workflowId: string; readonly runId: string },
): string {
  if (form !== 'readable') return '{"events":[';
  const { namespace, workflowId, runId } = run;
  return `${escapeInvisible(JSON.stringify({ namespace, workflowId, runId })).slice(0, -1)},"events":[`;
}

/** Returns the end of a complete export document. */
export const exportEnd = (form: ExportForm, summary: ExportSummary): string =>
  form === 'readable' ? `\n],"summary":${JSON.stringify(summary)}}\n` : '\n]}\n';

/**
 * JSON text, either as a whole or in pieces. Pieces are created one at a time, so that a large string is never
 * in memory as a whole.
 */
export type JsonText = string | Iterable<string>;

/** Returns the JSON text of the payload with the given ref. */
export type WritePayload = (payload: Payload, ref: PayloadRef) => JsonText | Promise<JsonText>;

/**
 * Returns a function that writes an event as JSON text. The function first writes an unpredictable marker for
 * each payload, and then replaces the marker with the payload's text, so that the text keeps its exact form.
 * The function returns pieces if a payload's text is in pieces.
 * @param checkpoint awaited before each payload, because an event may have tens of thousands of payloads
 */
export function eventWriter(
  form: ExportForm,
  checkpoint: () => Promise<void> | void = () => undefined,
): (event: ProtoEvent, writePayload: WritePayload) => Promise<JsonText> {
  const marker = randomUUID();
  const markers = new RegExp(`"${marker}:(\\d+)"`, 'g');
  return async (event, writePayload) => {
    const found: Payload[] = [];
    const json = JSON.stringify(eventJson(event, ({ payload }) => `${marker}:${found.push(payload) - 1}`));
    const texts: JsonText[] = [];
    for (const [n, payload] of found.entries()) {
      await checkpoint();
      texts.push(await writePayload(payload, payloadRefOf(eventIdOf(event), n)));
    }
    // A readable export escapes invisible characters in names, but not in decrypted JSON, which keeps its exact form.
    const template = form === 'readable' ? escapeInvisible(json) : json;
    const pieces = inPieces(template.split(markers), texts);
    return texts.every((text) => typeof text === 'string') ? [...pieces].join('') : pieces;
  };
}

/** @param template a list that alternates between text and the index of a payload's text */
function* inPieces(template: readonly string[], texts: readonly JsonText[]): Generator<string, void> {
  for (const [place, part] of template.entries()) {
    const text = place % 2 === 0 ? part : (texts[Number(part)] ?? '');
    if (typeof text === 'string') yield text;
    else yield* text;
  }
}

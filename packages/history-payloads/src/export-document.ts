import { randomUUID } from 'node:crypto';
import {
  escapeInvisible,
  type ExportForm,
  type ExportSummary,
  type PayloadRef,
} from '@temporal-kms/codec-api';
import { eventIdOf, eventJson, type ProtoEvent } from './event.ts';
import type { Payload } from './payload.ts';

/** Returns how the document of an exported history begins. Its events follow, separated by commas. */
export function exportStart(
  form: ExportForm,
  run: { readonly namespace: string; readonly workflowId: string; readonly runId: string },
): string {
  if (form !== 'readable') return '{"events":[';
  const { namespace, workflowId, runId } = run;
  return `${escapeInvisible(JSON.stringify({ namespace, workflowId, runId })).slice(0, -1)},"events":[`;
}

/** Returns how the document of an exported history ends, if it is complete. */
export const exportEnd = (form: ExportForm, summary: ExportSummary): string =>
  form === 'readable' ? `\n],"summary":${JSON.stringify(summary)}}\n` : '\n]}\n';

/** Returns the JSON text of the payload with the given ref. */
export type WritePayload = (payload: Payload, ref: PayloadRef) => string | Promise<string>;

/**
 * Returns a function that writes an event as JSON text. It inserts the texts of payloads at unpredictable markers, so that
 * they keep their exact form.
 * @param checkpoint awaited before each payload: an event may have tens of thousands
 */
export function eventWriter(
  form: ExportForm,
  checkpoint: () => Promise<void> | void = () => undefined,
): (event: ProtoEvent, writePayload: WritePayload) => Promise<string> {
  const marker = randomUUID();
  const markers = new RegExp(`"${marker}:(\\d+)"`, 'g');
  return async (event, writePayload) => {
    const found: Payload[] = [];
    const json = JSON.stringify(eventJson(event, ({ payload }) => `${marker}:${found.push(payload) - 1}`));
    const texts: string[] = [];
    for (const [n, payload] of found.entries()) {
      await checkpoint();
      texts.push(await writePayload(payload, `${eventIdOf(event)}:${n}`));
    }
    // A readable export escapes invisible characters in names, but not in decrypted JSON, which keeps its exact form.
    const template = form === 'readable' ? escapeInvisible(json) : json;
    return template.replace(markers, (_, index: string) => texts[Number(index)] ?? '');
  };
}
